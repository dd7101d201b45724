package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Backup is a backup file that was found whole, made with the keyset, and for the
// Voiceflow that is set. It is for one use at a time.
type Backup struct {
	Info BackupInfo

	from  io.ReadSeeker
	start int64
	frame backupFrame
	ports Ports
}

// OpenBackup reads a backup to its end, from the current position of from, and checks
// whether it can be restored. It needs the ports Cipher, Keyring and Voiceflow, uses Clock
// and Random, and ignores the others. It never makes a keyset. Returns Corrupt if any byte
// of the file was changed or is missing, if the keyset lacks a key that the backup needs,
// which is named, or if another keyset made the backup. Returns Conflict for a backup of a
// newer program and for one of another Voiceflow.
func OpenBackup(ctx context.Context, p Ports, from io.ReadSeeker) (*Backup, error) {
	if p.Cipher == nil || p.Keyring == nil || p.Voiceflow == nil {
		return nil, errors.New("app: Cipher, Keyring and Voiceflow must be given")
	}
	if p.Clock == nil {
		p.Clock = time.Now
	}
	if p.Random == nil {
		p.Random = rand.Reader
	}
	start, err := from.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, unreadableBackup(err)
	}
	b := &Backup{from: from, start: start, ports: p, Info: BackupInfo{Rows: map[string]int64{}}}
	var is domain.Installation
	b.frame, err = readBackup(from, func(row domain.ArchiveRow) error {
		if row.Table == "installation" {
			is = archivedInstallation(row)
		}
		b.Info.Rows[row.Table]++
		if ctx.Err() != nil {
			return unreadableBackup(context.Cause(ctx))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b.Info.Created, b.Info.Origin, b.Info.Keys = b.frame.header.Created, b.frame.header.Origin, b.frame.end.Keys
	if origin := p.Voiceflow.Origin(); b.Info.Origin != origin {
		return nil, &domain.Error{Kind: domain.Conflict, Public: "the keys in this backup are for Voiceflow at " + string(b.Info.Origin) +
			", and this service is set to send keys to " + string(origin) + "; correct the setting"}
	}
	return b, b.recognise(ctx, is)
}

func unreadableBackup(err error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the backup can't be read", Cause: err}
}

func archivedInstallation(row domain.ArchiveRow) domain.Installation {
	sealed := func(key, value string) (s domain.Sealed) {
		s.Key, _ = row.Value(key).(domain.KeyID)
		s.Bytes, _ = row.Value(value).([]byte)
		return s
	}
	origin, _ := row.Value("origin").(string)
	return domain.Installation{
		Known: sealed("key_id", "known"), Origin: domain.Origin(origin), Pseudonyms: sealed("pseudonyms_key_id", "pseudonyms"),
	}
}

// recognise looks whether the keyset is the one that the backup takes.
func (b *Backup) recognise(ctx context.Context, is domain.Installation) error {
	wants := "this backup takes the keyset with the keys " + b.Info.KeyNames()
	if err := b.ports.Keyring.Prepare(ctx, false); err != nil {
		return &domain.Error{Kind: domain.KindOf(err), Public: wants, Cause: err}
	}
	has := b.ports.Keyring.Keys()
	lacks := slices.DeleteFunc(slices.Clone(b.Info.Keys), func(id domain.KeyID) bool { return slices.Contains(has, id) })
	if len(lacks) > 0 {
		return &domain.Error{Kind: domain.Corrupt, Public: wants + ", and the keyset that is set has not " + keyNames(lacks)}
	}
	seal := domain.Sealed{Key: b.frame.seal.Key, Bytes: b.frame.seal.Seal}
	digest, err := b.ports.Cipher.Open(seal, domain.BindBackup())
	if domain.KindOf(err) == domain.Unavailable {
		return err
	}
	if err != nil || digest.Reveal() != b.frame.seal.Digest {
		return &domain.Error{Kind: domain.Corrupt, Cause: err,
			Public: "the seal of this backup does not open: it was changed, or made with another keyset than the one that is set"}
	}
	if is.Origin != b.Info.Origin {
		return &domain.Error{Kind: domain.Corrupt, Public: "the backup does not say which installation it is of"}
	}
	if err := (&Service{ports: b.ports}).opens(is); err != nil {
		return err
	}
	if is.Pseudonyms.IsZero() {
		return nil // the next start makes some
	}
	if _, err := b.ports.Cipher.Open(is.Pseudonyms, domain.BindPseudonymKey()); err != nil {
		return &domain.Error{Kind: domain.KindOf(err), Cause: err, Public: "the key of the pseudonyms in this backup does not open"}
	}
	return nil
}

// Restore fills the database behind to with the backup, all or nothing, as the operator.
// It is Conflict where the database has a user or an assistant, or a schema that is newer
// than this program knows, and Corrupt when the file is no longer the one that was opened.
// Nobody is logged in afterwards.
func (b *Backup) Restore(ctx context.Context, to ports.Archive) error {
	s := &Service{ports: b.ports}
	call, err := s.OperatorCall()
	if err != nil {
		return err
	}
	return to.Restore(ctx, b.rows(), s.act(call, domain.NeedsAdmin(), domain.ActionRestore, domain.OnBackup(b.Info.Created)))
}

// errEnough ends the reading of a backup of which no more is wanted.
var errEnough = errors.New("app: enough of the backup was read")

// rows are the rows of the file, read anew. An error stands behind them when it turns out
// that it is not the file that was opened.
func (b *Backup) rows() iter.Seq2[domain.ArchiveRow, error] {
	return func(yield func(domain.ArchiveRow, error) bool) {
		if _, err := b.from.Seek(b.start, io.SeekStart); err != nil {
			yield(domain.ArchiveRow{}, unreadableBackup(err))
			return
		}
		again, err := readBackup(b.from, func(row domain.ArchiveRow) error {
			if !yield(row, nil) {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return
		}
		if err == nil && again.seal.Digest != b.frame.seal.Digest {
			err = &domain.Error{Kind: domain.Corrupt, Public: "the backup was changed while it was read"}
		}
		if err != nil {
			yield(domain.ArchiveRow{}, err)
		}
	}
}
