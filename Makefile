# `make` alone lists the targets. Each runs the set-up first if it needs it; after that, plain cargo works too.

CARGO ?= cargo
# Arguments for the program, such as: make run ARGS="replay film.mp4"
ARGS ?=
# The training data of `make model` and `make detector`.
FER2013 ?= fer2013.csv
FACES ?= data
FERPLUS ?= fer2013new.csv
CKPLUS ?= CK+48
JAFFE ?= jaffe

# The Debian release that `make package-in` builds for.
RELEASE ?= trixie

.DEFAULT_GOAL := help
.PHONY: help run test workflow-test package package-in package-test docs bench model detector lint fmt doctor setup clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  make run ARGS="replay film.mp4"   passes arguments to the program; ARGS=--help lists them'

run: setup ## Set up, build and start Mien: with the camera, or with the demo clip if there is none
	@CARGO='$(CARGO)' scripts/run.sh $(ARGS)

test: ## Set up and run all tests
	@scripts/setup.sh --tests
	$(CARGO) test --workspace

bench: setup ## Set up and measure the whole pipeline on the demo clip
	$(CARGO) run --release -- bench $(ARGS)

model: setup ## Train the default network from FER2013=fer2013.csv, FERPLUS=fer2013new.csv, CKPLUS=CK+48 and JAFFE=jaffe
	$(CARGO) run --release -- train models/recipes/mien-joint.toml --ferplus '$(FERPLUS)' \
	    --data 'FER2013=$(FER2013)' --data 'CK+48=$(CKPLUS)' --data 'JAFFE=$(JAFFE)'
	$(CARGO) run --release -- evaluate runs/mien-joint/mien-joint.safetensors '$(FER2013)' --ferplus '$(FERPLUS)' \
	    --calibrate --prior uniform --least-accuracy 0.875

detector: setup ## Train the face detector from FACES=folder with portraits/ and scenes/
	$(CARGO) run --release -- train models/recipes/faces.toml --data '$(FACES)' --threads 1
	$(CARGO) run --release -- evaluate faces runs/faces/faces.safetensors --data '$(FACES)' --calibrate --record

workflow-test: setup ## Run Snakemake and Slurm over a few clips, killed and resumed, and compare the tables
	$(CARGO) build --release
	@scripts/workflow-test.sh

package: ## Build the packages, the list of what is inside and checksums into target/package
	@CARGO='$(CARGO)' scripts/package.sh

package-in: ## Build the package of another release of Debian, in a fresh system: RELEASE=trixie (as root)
	@scripts/package-in.sh $(RELEASE)

package-test: ## Install, use and remove the packages in fresh systems of Debian 12 and 13 (as root)
	@scripts/package-test.sh

docs: ## Build the book of docs/ in target/book and check its links
	@CARGO='$(CARGO)' scripts/docs.sh

lint: setup ## Set up, check the format and run clippy, with warnings as errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --no-default-features -- -D warnings

fmt: ## Format the code
	$(CARGO) fmt --all

doctor: setup ## Set up, build and report what works on this machine
	$(CARGO) run --release -- doctor

setup: ## Install what is missing: system packages, libtorch, the demo clip
	@scripts/setup.sh

clean: ## Remove what was built here (libtorch and the demo clip stay in the cache folder)
	$(CARGO) clean
