"""Low-rank adapters on disk: what their files hold (``file.py``, a reader for each format), whether they fit a model
(``fitting.py``), and handing them to a backend (``loading.py``)."""
