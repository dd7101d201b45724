package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// AuditLog keeps records of what changes nothing here: calls that changed something at
// Voiceflow.
type AuditLog interface {
	// Append stores the record.
	Append(ctx context.Context, rec domain.Record) error
}
