"""What every project has beside its app and its test."""

from __future__ import annotations

README = """# {{name}}

{{about}}
It runs offline{{offline}}.

```
pip install -e '.[dev]'
python -m pytest
overwinter doctor {{module}}.py
```

{{commands}}
Stop anything in the middle and start it again: it goes on where it stopped. State is in `overwinter.db`
(`OVERWINTER_STATE` chooses another store). Settings at your desk: copy `.env.example` to `.env`.

In a container:

```
docker build --tag {{name}} .
docker run --rm --publish 8080:8080 --volume {{name}}:/data --env OVERWINTER_TOKEN {{name}}
```
"""

PYPROJECT = """[project]
name = "{{name}}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["overwinter>={{version}}"]

# pip install -e '.[dev]' to work on it; '.[llm,dev]' for the models of all providers.
[project.optional-dependencies]
llm = ["overwinter[llm]"]
dev = ["pytest"]

[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[tool.setuptools]
py-modules = ["{{module}}"]

[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]
"""

EXAMPLE = """# Copy this file to .env: overwinter dev, run, chat and doctor read it, and what is set already wins.
# Never commit .env.

# A real model instead of the script; needs: pip install -e '.[llm,dev]'
# OVERWINTER_MODEL=openai/gpt-5-mini
# OPENAI_API_KEY=

# Another store than overwinter.db in this folder
# OVERWINTER_STATE=redis://localhost:6379/0
"""

DOCKERFILE = """FROM python:3.13-slim
RUN pip install --no-cache-dir "overwinter[llm]>={{version}}" \\
    && useradd --uid 65532 --no-create-home overwinter \\
    && install --directory --owner 65532 /data
WORKDIR /app
COPY {{module}}.py ./
# State outlives the container in a volume at /data; OVERWINTER_STATE names another store.
# Beyond loopback it serves only with a token: --env OVERWINTER_TOKEN
ENV OVERWINTER_HOST=0.0.0.0 \\
    OVERWINTER_STATE=sqlite:////data/overwinter.db \\
    PYTHONUNBUFFERED=1
USER 65532
EXPOSE 8080
CMD ["overwinter", "serve", "{{module}}.py"]
"""

IGNORE = """__pycache__/
*.egg-info/
.pytest_cache/
.venv/
.env
overwinter.db*
"""

DOCKERIGNORE = """*
!{{module}}.py
"""
