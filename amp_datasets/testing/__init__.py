"""The contract of filters and formats as laws that anybody can run over a plugin of their own; ours are held to it too.

    @pytest.mark.parametrize("law", filter_laws(Posterize), ids=str)
    def test_posterize_keeps_the_contract(law): law()

Offers `filter_laws`, `format_laws`, `check_filter`, `check_format`, `Law` and `BrokenLawError`.
May import: everything above.
"""

from amp_datasets.testing.filters import check_filter as check_filter
from amp_datasets.testing.filters import filter_laws as filter_laws
from amp_datasets.testing.formats import check_format as check_format
from amp_datasets.testing.formats import format_laws as format_laws
from amp_datasets.testing.law import BrokenLawError as BrokenLawError
from amp_datasets.testing.law import Law as Law
