package app

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// BackupInfo is what is in a backup.
type BackupInfo struct {
	Created time.Time
	Origin  domain.Origin    // the Voiceflow that the keys in it are for
	Rows    map[string]int64 // by the table of domain.ArchiveTables
	Keys    []domain.KeyID   // of the keyset, which it takes to restore it
}

// KeyNames are the Keys with commas between.
func (i BackupInfo) KeyNames() string { return keyNames(i.Keys) }

func keyNames(ids []domain.KeyID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	return strings.Join(names, ", ")
}

// Backup writes all that is kept for good as of one moment, while others go on. Without
// the keyset nobody can restore it, or make one that can be restored. Whoever can read it
// sees names, hashes of passwords and the audit, and no key. Only an admin may: NotAllowed.
// It is Unavailable when it can't be read or written to the end; what is written by then
// is refused by OpenBackup. The audit row is written before, so that it is in the backup.
func (s *Service) Backup(ctx context.Context, call Call, to io.Writer) (BackupInfo, error) {
	if err := call.Caller.MayManage(); err != nil {
		return BackupInfo{}, err
	}
	if s.ports.Archive == nil {
		return BackupInfo{}, errors.New("app: Archive must be given")
	}
	info := BackupInfo{Created: domain.Instant(s.ports.Clock()), Origin: s.ports.Voiceflow.Origin()}
	if err := s.ports.Store.Audit.Append(ctx, s.record(call, domain.ActionBackup, domain.OnBackup(info.Created))); err != nil {
		return BackupInfo{}, err
	}
	w, err := newBackupWriter(to, backupHeader{Format: backupFormat, Version: domain.ArchiveVersion, Created: info.Created, Origin: info.Origin})
	if err != nil {
		return BackupInfo{}, err
	}
	if err := s.ports.Archive.Snapshot(ctx, w.row); err != nil {
		return BackupInfo{}, err
	}
	// What another instance sealed meanwhile may be in it.
	if err := s.ports.Keyring.Refresh(ctx); err != nil {
		return BackupInfo{}, err
	}
	info.Rows, info.Keys = w.counts, neededKeys(w.keys, s.ports.Keyring.Keys())
	return info, w.finish(backupEnd{Rows: w.rows, Keys: info.Keys}, func(digest string) (domain.Sealed, error) {
		return s.ports.Cipher.Seal(domain.NewSecret(digest), domain.BindBackup())
	})
}

// neededKeys are the keys that it takes to use what is in a backup: those of the keyset
// that sealed something in it, and the current one, which seals the backup. What other
// keys have sealed is lost already, and must not keep the rest from being restored.
func neededKeys(sealed map[domain.KeyID]bool, keyset []domain.KeyID) []domain.KeyID {
	needed := keyset[:1:1]
	for _, id := range keyset[1:] {
		if sealed[id] {
			needed = append(needed, id)
		}
	}
	slices.Sort(needed)
	return needed
}
