"""What a filter is: base classes, types of settings, checks of settings.

Offers `PixelFilter`, `TableFilter`, `GeometricFilter`, `HidingFilter`, `create` and hints about class names.
May import: errors, model, geometry.
"""
