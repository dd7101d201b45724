# What a newcomer types. `make run` needs Go only; `make test` uses Docker where it is.
GOLANGCI = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
IMAGE ?= flowlatch:latest

.PHONY: run test test-image check verify bench build image

run: ## a demo in a folder that goes away: Flowlatch beside a stand-in for Voiceflow
	go run -tags nomsgpack ./cmd/flowlatch demo

test: ## everything; Postgres by a DSN, else in a container, else left out and said so
	internal/postgrestest/with-postgres go test -race -shuffle=on -timeout 20m ./...

test-image: ## make a Postgres image for the tests where none can be pulled
	internal/postgrestest/image/build

check: ## form: gofmt, vet, linters, and the import test
	test -z "$$(gofmt -l . | tee /dev/stderr)"
	go vet ./...
	$(GOLANGCI) run ./...
	go test ./internal/imports

verify: ## go.mod and the generated wiring are up to date
	go mod tidy -diff
	go mod verify
	go tool wire diff ./cmd/flowlatch

bench: ## speed and size, side by side with hand-written handlers and a bare reverse proxy; takes a quarter of an hour
	internal/postgrestest/with-postgres go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./internal/bench

build: ## bin/flowlatch, one static file
	CGO_ENABLED=0 go build -trimpath -tags nomsgpack -ldflags '-s -w' -o bin/flowlatch ./cmd/flowlatch

image: export GOOS = linux
image: build ## flowlatch:latest from the binary that `make build` made
	rm -rf bin/image
	mkdir -p bin/image/data bin/image/tmp
	cp bin/flowlatch bin/image/flowlatch
	docker build -t $(IMAGE) -f Dockerfile bin/image
