# SPDX-License-Identifier: MIT
"""Ways to tell what a run found: terminal, JUnit XML, JSON, HTML, Markdown, badge, and a script for each failure."""
