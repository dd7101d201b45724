# The commands of a newcomer. `make run` needs Go only. `make test` uses Docker if it runs.
GOLANGCI = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
IMAGE ?= flowlatch:latest
VERSION = $(shell cmd/flowlatch/version.sh)

.DEFAULT_GOAL := help
.PHONY: help run test test-tools test-image check verify bench soak pictures build image

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## start a demo: Flowlatch beside a stand-in for Voiceflow, in a folder that is deleted at the end
	go run -tags nomsgpack ./cmd/flowlatch demo

# -race makes SQLite, which is C translated to Go, four times slower. It has nothing to watch there: that
# code keeps what it works on in memory outside of the heap of Go, and guards it with locks of its own.
# The driver, database/sql and all of our code are watched.
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false

# The tests with Chromium run alone. Chromium drops its connections when a network interface comes or goes,
# and the containers of other tests bring some.
test: ## run all tests; Postgres comes from a DSN or a container, else the last lines say that it was left out
	go test $(RACE) -shuffle=on -timeout 40m ./internal/browser
	internal/postgrestest/with-postgres go test $(RACE) -shuffle=on -timeout 40m $$(go list ./... | grep -v /internal/browser)

test-tools: ## install the Debian packages that the tests use
	internal/testtools/install

test-image: ## build a Postgres image for the tests, for machines that can't pull one
	internal/postgrestest/image/build

check: ## check the form: gofmt, vet, linters and the import test
	test -z "$$(gofmt -l . | tee /dev/stderr)"
	go vet ./...
	$(GOLANGCI) run ./...
	go test ./internal/imports

verify: ## check that go.mod and the generated wiring are up to date
	go mod tidy -diff
	go mod verify
	go tool wire diff ./cmd/flowlatch

bench: ## measure speed and size beside hand-written handlers and a bare reverse proxy, for a quarter of an hour
	internal/postgrestest/with-postgres go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./internal/bench

soak: ## send a million random requests to all routes of the binary, for half an hour; FLOWLATCH_SOAK_SEED repeats a run
	FLOWLATCH_TEST_POSTGRES=off FLOWLATCH_SOAK=$${FLOWLATCH_SOAK:-1000000} go test -count 1 -timeout 120m -run '^TestSoak$$' -v ./internal/e2e

pictures: ## take the pictures of README with Chromium: docs/console.png and docs/chat.png
	FLOWLATCH_PICTURES=$(CURDIR)/docs FLOWLATCH_TEST_POSTGRES=off go test -count 1 -run '^TestPictures$$' ./internal/browser

build: ## build bin/flowlatch, one static file
	CGO_ENABLED=0 go build -trimpath -tags nomsgpack -ldflags '-s -w -X main.version=$(VERSION)' -o bin/flowlatch ./cmd/flowlatch

image: export GOOS = linux
image: build ## build the image flowlatch:latest
	rm -rf bin/image
	mkdir -p bin/image/data bin/image/tmp
	cp bin/flowlatch bin/image/flowlatch
	docker build -t $(IMAGE) -f Dockerfile bin/image
