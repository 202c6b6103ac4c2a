"""The program that deploy.py installs on each server as `stagecraft`: what must go on when the
operator's connection ends. Standard library only, Python 3.11 to 3.13."""
