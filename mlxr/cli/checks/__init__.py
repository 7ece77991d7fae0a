"""What ``mlxr doctor`` looks for: each check is a function that returns what it finds, with the command that mends it.

``finding`` says what a finding is; ``installation``, ``machine``, ``home``, ``pages`` and ``draft_models`` hold the
checks, by the place where something can be wrong; ``every`` runs them on this machine.
"""
