package ports

import (
	"context"
	"io"
)

// AuditFiles keeps files with the rows of the audit that are about to be removed.
type AuditFiles interface {
	// Put stores a file of that name with what write writes. When it returns nil, the file is complete and
	// outlives a crash of the machine. Otherwise there is no file, or one that was there before. A file is
	// never changed. If there is a file of that name with the same content, Put succeeds. Returns Conflict
	// if there is one with another content. Returns Unavailable if the file can't be stored. An error of
	// write is returned as it is.
	Put(ctx context.Context, name string, write func(io.Writer) error) error

	// Names returns the names of the files that begin with the text, in their order.
	Names(ctx context.Context, begin string) ([]string, error)
}
