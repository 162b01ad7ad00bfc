"""Ours and peers from PyPI, run by the Python of build/peers/venv, where those are installed."""
