"""What a person has set up for the web application: servers of tools, how each tool may be used, presets.

``store`` owns the file, ``changes`` says what each command makes of a profile, ``actor`` is the shell around both.
"""
