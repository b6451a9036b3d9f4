# Two commands on a fresh machine: `make demo` and `make test`.  Each fills .venv itself, once.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all reliability docs lint install clean

install: .venv/.installed

# Made anew only when the dependencies change.
.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv || { $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	touch $@

# Font checks by others.  In an environment of its own, since it asks for an older freetype-py than fontgan.
.fontbakery/.installed: Makefile
	$(PYTHON) -m venv .fontbakery || { $(PYTHON) -m venv --without-pip .fontbakery && $(PYTHON) -m pip --python .fontbakery/bin/python install pip; }
	.fontbakery/bin/python -m pip install --disable-pip-version-check 'fontbakery==1.1.0'
	touch $@

# A font of 1,000 characters that the base model never saw: how it would be drawn, then what a poem needs, made and built in.
DEMO := fontgan/assets/fonts/ZCOOLXiaoWei-Regular.ttf
POEM := docs/spring-river.txt
demo: install
	mkdir -p demo
	$(BIN)/fontgan preview target=$(DEMO) text=$(POEM) out=demo/preview.png overwrite=true
	$(BIN)/fontgan complete target=$(DEMO) charset=$(POEM) out=demo/XiaoWei.ttf trainer.max_steps=800
	$(BIN)/fontgan proof font=demo/XiaoWei.ttf target=$(DEMO) source=shelf:sans text=$(POEM) out=demo/poem.html overwrite=true
	@echo "Look at demo/preview.png, drawn before any training, and at the poem in demo/poem.html; the font is demo/XiaoWei.ttf"

# Every command, part and page, in minutes.
test: install
	$(BIN)/python -m pytest -m "not slow"

# Everything: that, and what takes longer.
test-all: test .fontbakery/.installed
	$(BIN)/python -m pytest -m slow

# What docs/reference/reliability.md promises, tried for much longer than `make test` has time for.
reliability: install
	$(BIN)/python -m tests.faults
	$(BIN)/python -m tests.untrusted reading
	$(BIN)/python -m tests.untrusted.fonts
	$(BIN)/python -m tests.health_margins 400

# The tables in docs/ that are made of configs/ and of the commands' own help.
docs: install
	$(BIN)/python scripts/make_docs.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32
	$(BIN)/mypy --platform darwin

clean:
	rm -rf .venv .fontbakery demo runs build dist
