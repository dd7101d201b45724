package main

import (
	"log"
	"log/slog"
	"os"
	"strings"

	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

// newLog returns the log of a service: JSON lines on standard error.
func newLog(cfg config.Config) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
}

// newServerLog logs the lines of net/http. It removes the end of each line, which contains an
// address and maybe text of a client.
func newServerLog(to *slog.Logger) *log.Logger { return log.New(serverLines{to}, "", 0) }

type serverLines struct{ to *slog.Logger }

func (s serverLines) Write(line []byte) (int, error) {
	about, _, _ := strings.Cut(string(line), " from ")
	about, _, _ = strings.Cut(about, " serving ")
	s.to.Warn("http server", "about", terminal.OneLine(about))
	return len(line), nil
}
