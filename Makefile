# make help says what there is. Only Go is needed, and its modules.

GO       ?= go
PREFIX   ?= /usr/local
FUZZTIME ?= 30s

# The version of a release is its tag; without git, the program says what Go knows of its origin.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := $(if $(VERSION),-X main.release=$(VERSION))

# The tools of "make check", run as they are named here and installed nowhere.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# testdata is not among "./..." for the go command.
PACKAGES := ./... ./testdata

.PHONY: build test race bench compare demo check fuzz install clean help

build: ## build bin/mailhaul
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/mailhaul ./cmd/mailhaul

test: ## run all tests; those on a real Dovecot are skipped, and say so under -v, where there is none
	$(GO) test -timeout 20m $(TESTFLAGS) ./...

# The trials that do one thing a thousand times have no more goroutines than the first time, and are slow enough.
TRIALS := Anywhere|EveryStep|EveryOctet|Twice|Kill|Memory|Demo|DiskFull|Moved|BeforeItIsSafe|TestIMAP|TwoAtOnce|TestBrief|TestCompare|LostAnswers

race: ## run the tests under the race detector, but for the long trials
	$(GO) test -race -timeout 20m -skip '$(TRIALS)' $(TESTFLAGS) ./...

bench: ## measure the parts, each beside its floor
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

compare: ## measure the whole beside its floor and beside what people use, half an hour; COMPAREFLAGS="-only REGEXP -runs N"
	internal/peers/compare.sh $(COMPAREFLAGS)

demo: build ## show the main job on servers of its own: interrupted, resumed, proved
	bin/mailhaul demo

check: ## format, vet on three systems, modules, staticcheck, known vulnerabilities
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet $(PACKAGES)
	GOOS=darwin $(GO) vet $(PACKAGES)
	GOOS=windows $(GO) vet $(PACKAGES)
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(GO) run $(STATICCHECK) $(PACKAGES)
	.ci/vulncheck $(GO) run $(GOVULNCHECK) ./...

fuzz: ## run every fuzz target for FUZZTIME (30s), one after the other
	@grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file func; do \
		echo "$$(dirname $$file) $${func#func }"; \
		$(GO) test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(FUZZTIME) "$$(dirname $$file)" || exit 1; \
	done

install: build ## install into PREFIX/bin (/usr/local/bin)
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 bin/mailhaul "$(DESTDIR)$(PREFIX)/bin/mailhaul"

clean: ## remove what build and demo made
	rm -rf bin demo-archive

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 9
