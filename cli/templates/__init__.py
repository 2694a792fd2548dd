"""The files of the projects that ``overwinter new`` writes: one module a template (its app, its test, what to type),
and ``around`` for what every project has. ``{{name}}`` and ``{{module}}`` are filled in. What is written works as it
stands; a test generates each template and runs what its README says."""
