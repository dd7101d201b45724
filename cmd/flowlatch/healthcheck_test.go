package main

import "testing"

func TestLocalURL(t *testing.T) {
	for _, tc := range []struct{ addr, want string }{
		{":8080", "http://127.0.0.1:8080"},
		{"0.0.0.0:8080", "http://127.0.0.1:8080"},
		{"[::]:8080", "http://127.0.0.1:8080"},
		{"[::1]:8080", "http://[::1]:8080"},
		{"flowlatch.example:80", "http://flowlatch.example:80"},
	} {
		if got := localURL(tc.addr, false); got != tc.want {
			t.Errorf("localURL(%q): got %q, want %q", tc.addr, got, tc.want)
		}
	}
	if got, want := localURL(":443", true), "https://127.0.0.1:443"; got != want {
		t.Errorf("over TLS: got %q, want %q", got, want)
	}
}
