"""What a person has set up for the web application: servers of tools, and how each tool may be used.

``store`` owns the file, ``changes`` says what each command makes of a profile, ``actor`` is the shell around both.
"""
