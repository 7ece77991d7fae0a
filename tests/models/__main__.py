"""``python -m tests.models``: fetch the models that tests need, so that tests run offline."""

from tests.models import ALIASES, model_path

for alias in ALIASES:
    print(model_path(alias))
