package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestServerLinesKeepNothingOfARequest(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"http: TLS handshake error from 192.0.2.1:4711: tls: secret\n", `"about":"http: TLS handshake error"`},
		{"http: panic serving 192.0.2.1:4711: secret\ngoroutine 1\n", `"about":"http: panic"`},
		{"http: Accept error: too many open files; retrying in 5ms\n", `"about":"http: Accept error: too many open files; retrying in 5ms"`},
	} {
		var out bytes.Buffer
		newServerLog(slog.New(slog.NewJSONHandler(&out, nil))).Print(tc.line)
		if got := out.String(); !strings.Contains(got, tc.want) || strings.Contains(got, "secret") || strings.Contains(got, "192.0.2.1") {
			t.Errorf("%q is logged as %s", tc.line, got)
		}
	}
}
