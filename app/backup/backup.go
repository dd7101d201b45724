// Package backup writes the content of a database to a file and restores it, also into another
// kind of database.
package backup

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// Info is what is in a backup.
type Info struct {
	Created time.Time
	Origin  domain.Origin    // the Voiceflow that the keys in it are for
	Rows    map[string]int64 // by the name of an archive.Table
	Keys    []domain.KeyID   // the keys of the keyset that are needed to restore it
}

// KeyNames returns the Keys, separated by commas.
func (i Info) KeyNames() string { return keyNames(i.Keys) }

func keyNames(ids []domain.KeyID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	return strings.Join(names, ", ")
}

// Source is what Write works with. All must be given, and all must be of one database.
type Source struct {
	Archive ports.Archive
	Audit   ports.AuditLog
	Keyset  *keyset.Keyset
	Clock   ports.Clock
}

// Write writes everything that is kept for good, as of one moment, while others go on. Only an
// admin may: NotAllowed. The audit row comes first, so it is in the backup. Returns Unavailable
// if the database can't be read, or the backup can't be written, to the end. Open refuses
// what was written by then. Returns an error of no kind if s is incomplete.
//
// The backup shows names, hashes of passwords and the audit, and no Voiceflow key. Nobody can
// restore it, or make one that can be restored, without the keyset.
func Write(ctx context.Context, s Source, call domain.Call, to io.Writer) (Info, error) {
	if err := call.Caller.MayManage(); err != nil {
		return Info{}, err
	}
	if s.Archive == nil || s.Audit == nil || s.Keyset == nil || s.Clock == nil {
		return Info{}, errors.New("backup: all of Source must be given")
	}
	now := s.Clock()
	info := Info{Created: domain.Instant(now), Origin: s.Keyset.Origin()}
	if err := s.Audit.Append(ctx, call.Record(now, domain.ActionBackup, domain.OnBackup(info.Created))); err != nil {
		return Info{}, err
	}
	w, err := newWriter(to, headerLine{Format: format, Version: archive.Version, Created: info.Created, Origin: info.Origin})
	if err != nil {
		return Info{}, err
	}
	if err := s.Archive.Snapshot(ctx, w.row); err != nil {
		return Info{}, err
	}
	// The backup may have rows that another instance sealed meanwhile.
	if err := s.Keyset.Refresh(ctx); err != nil {
		return Info{}, err
	}
	info.Rows, info.Keys = w.counts, neededKeys(w.keys, s.Keyset.Keys())
	return info, w.finish(endLine{Rows: w.rows, Keys: info.Keys}, func(digest string) (domain.Sealed, error) {
		return s.Keyset.Seal(domain.NewSecret(digest), domain.BindBackup())
	})
}

// neededKeys returns the keys that are needed to use a backup: the current one, which seals the
// backup, and those of the keyset that sealed something in it. What other keys have sealed is
// lost already, and must not keep the rest from being restored.
func neededKeys(sealed map[domain.KeyID]bool, all []domain.KeyID) []domain.KeyID {
	needed := all[:1:1]
	for _, id := range all[1:] {
		if sealed[id] {
			needed = append(needed, id)
		}
	}
	slices.Sort(needed)
	return needed
}
