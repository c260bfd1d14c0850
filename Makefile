# For developers; everybody else needs only ./run and ./test.
.PHONY: run test fast lint format bench soak schema

run:
	./run

test:
	./test

fast:
	./test --fast

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	.venv/bin/python -m mypy
	.venv/bin/djlint --quiet --lint templates
	VMS_HOME=$$(mktemp -d) .venv/bin/python manage.py makemigrations --check --dry-run

format:
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench:
	.venv/bin/python -m bench

schema:
	VMS_HOME=$$(mktemp -d) .venv/bin/python manage.py spectacular --validate --fail-on-warn --file docs/reference/openapi.yaml

MINUTES ?= 10
soak:
	.venv/bin/python -m tests.rig.soak --minutes $(MINUTES)
