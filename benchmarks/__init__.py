"""Figures in the docs, each from a script here that anyone can run."""
