package main

import (
	"log"
	"log/slog"
	"os"
	"strings"

	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

// newLog is the log of a service: JSON lines on standard error.
func newLog(cfg config.Config) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
}

// newServerLog takes the lines of net/http. It keeps what they are about and leaves out
// what follows, which is an address and may be text that a client chose.
func newServerLog(to *slog.Logger) *log.Logger { return log.New(serverLines{to}, "", 0) }

type serverLines struct{ to *slog.Logger }

func (s serverLines) Write(line []byte) (int, error) {
	about, _, _ := strings.Cut(string(line), " from ")
	about, _, _ = strings.Cut(about, " serving ")
	s.to.Warn("http server", "about", terminal.OneLine(about))
	return len(line), nil
}
