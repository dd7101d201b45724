package portstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// AuditFilesPlace is an empty place of one test's own.
type AuditFilesPlace struct {
	Files ports.AuditFiles
	// Content returns the content of a file.
	Content func(t *testing.T, name string) string
	// Break makes the place one that can't be written.
	Break func(t *testing.T)
}

// AuditFiles checks every sentence in the comments of ports.AuditFiles.
func AuditFiles(t *testing.T, open func(t *testing.T) AuditFilesPlace) {
	put := func(t *testing.T, p AuditFilesPlace, name, content string) error {
		t.Helper()
		return p.Files.Put(t.Context(), name, func(w io.Writer) error {
			for i := range content { // in small parts
				if _, err := io.WriteString(w, content[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	names := func(t *testing.T, p AuditFilesPlace, begin string, want ...string) {
		t.Helper()
		got, err := p.Files.Names(t.Context(), begin)
		wantNil(t, "Names", err)
		wantSame(t, fmt.Sprintf("the names that begin with %q", begin), fmt.Sprint(got), fmt.Sprint(want))
	}
	for _, s := range []struct {
		name string
		run  func(t *testing.T, p AuditFilesPlace)
	}{
		{"Put stores what write writes", func(t *testing.T, p AuditFilesPlace) {
			names(t, p, "")
			wantNil(t, "Put", put(t, p, "b", "two\n"))
			wantNil(t, "Put", put(t, p, "a1", "one\n"))
			wantNil(t, "Put of an empty file", put(t, p, "a2", ""))
			wantSame(t, "the content", p.Content(t, "b")+p.Content(t, "a1")+p.Content(t, "a2"), "two\none\n")
			names(t, p, "", "a1", "a2", "b")
			names(t, p, "a", "a1", "a2")
			names(t, p, "c")
		}},
		{"a file with the same content is well, one with another content is Conflict and stays", func(t *testing.T, p AuditFilesPlace) {
			wantNil(t, "Put", put(t, p, "a", "one\n"))
			wantNil(t, "Put of the same", put(t, p, "a", "one\n"))
			for _, other := range []string{"", "one", "one\ntwo\n", "One\n"} {
				wantSame(t, "Put of "+other, domain.KindOf(put(t, p, "a", other)), domain.Conflict)
			}
			wantSame(t, "the content", p.Content(t, "a"), "one\n")
			names(t, p, "", "a")
		}},
		{"an error of write is returned as it is, and there is no file", func(t *testing.T, p AuditFilesPlace) {
			own := errors.New("a reason of the caller's")
			err := p.Files.Put(t.Context(), "a", func(w io.Writer) error {
				_, err := io.WriteString(w, "a part")
				return errors.Join(err, own)
			})
			if !errors.Is(err, own) || domain.KindOf(err) != "" {
				t.Errorf("got error %v, want %v", err, own)
			}
			names(t, p, "")
			wantNil(t, "Put afterwards", put(t, p, "a", "all"))
		}},
		{"a context that has ended leaves no file", func(t *testing.T, p AuditFilesPlace) {
			ctx, cancel := context.WithCancel(t.Context())
			err := p.Files.Put(ctx, "a", func(io.Writer) error {
				cancel()
				return nil
			})
			if err == nil {
				t.Error("got no error")
			}
			names(t, p, "")
		}},
		{"a place that can't be written is Unavailable", func(t *testing.T, p AuditFilesPlace) {
			p.Break(t)
			wantSame(t, "Put", domain.KindOf(put(t, p, "a", "one")), domain.Unavailable)
			_, err := p.Files.Names(t.Context(), "")
			wantSame(t, "Names", domain.KindOf(err), domain.Unavailable)
		}},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open(t)) })
	}
}
