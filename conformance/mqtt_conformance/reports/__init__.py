# SPDX-License-Identifier: MIT
"""Reports of a run: terminal, JUnit XML, JSON, HTML, Markdown, badge, and a script for each failure."""
