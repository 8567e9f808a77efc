"""Pure torch: modules and functions, without scikit-learn, skorch or containers.

What users choose by name (backbones, losses, poolings) is registered in
:mod:`mlmi_sklearn.components` under strings that point here.
"""
