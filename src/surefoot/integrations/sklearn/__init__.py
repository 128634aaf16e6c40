"""scikit-learn's door: networks as estimators, and our search for any estimator with ``partial_fit``.

Importing it loads scikit-learn and no PyTorch; fitting a network needs the torch extra.

>>> from surefoot.integrations.sklearn import SurefootClassifier
>>> SurefootClassifier(learning_rate=0.01, epochs=5)
SurefootClassifier(epochs=5, learning_rate=0.01)
"""

from surefoot.integrations.sklearn.requirement import require_sklearn

require_sklearn()

from surefoot.integrations.sklearn.estimators import SurefootClassifier, SurefootRegressor  # noqa: E402 - needs it
from surefoot.integrations.sklearn.search import RecipeSearchCV  # noqa: E402 - likewise

__all__ = ["RecipeSearchCV", "SurefootClassifier", "SurefootRegressor"]
