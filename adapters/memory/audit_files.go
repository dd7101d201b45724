package memory

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditFiles = (*AuditFiles)(nil)

// AuditFiles is a ports.AuditFiles. The zero value is empty and ready.
type AuditFiles struct {
	mu     sync.Mutex
	files  map[string][]byte
	broken bool
}

// Break makes Put and Names return Unavailable until it is called with false.
func (f *AuditFiles) Break(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

// Content returns the content of the file of that name.
func (f *AuditFiles) Content(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Clone(f.files[name])
}

// Put stores a file.
func (f *AuditFiles) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken || ctx.Err() != nil {
		return unavailable(ctx.Err())
	}
	if is, there := f.files[name]; there && !bytes.Equal(is, content.Bytes()) {
		return &domain.Error{Kind: domain.Conflict, Public: "there is a file of the name " + name + " with another content"}
	}
	if f.files == nil {
		f.files = map[string][]byte{}
	}
	f.files[name] = content.Bytes()
	return nil
}

// Names returns the names of the files that begin with the text.
func (f *AuditFiles) Names(_ context.Context, begin string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return nil, unavailable(nil)
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f.files)), func(name string) bool { return !strings.HasPrefix(name, begin) }), nil
}
