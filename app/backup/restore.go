package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// Ports is what Open works with. Cipher, Keyring and Origins must be given.
type Ports struct {
	Cipher  ports.Cipher
	Keyring ports.Keyring  // of the keyset that Cipher seals with
	Origins domain.Origins // the Voiceflow that keys are sent to, complete

	Clock  ports.Clock // time.Now if nil
	Random io.Reader   // crypto/rand if nil
}

// Backup is a complete backup file that this service can restore: its keyset and its Voiceflow
// are those of the service. It is not safe for concurrent use.
type Backup struct {
	Info Info

	from  io.ReadSeeker
	start int64
	frame frame
	ports Ports
}

// Open reads a backup to its end, from the current position of from, and checks whether it can
// be restored. It never creates a keyset. Returns Corrupt if a byte of the file was changed or
// is missing, or if another keyset made the backup. Returns Corrupt, with the name of the key,
// if the keyset lacks a key that the backup needs. Returns Conflict for a backup of a newer
// program, and for one of another Voiceflow.
func Open(ctx context.Context, p Ports, from io.ReadSeeker) (*Backup, error) {
	if p.Cipher == nil || p.Keyring == nil || !p.Origins.Complete() {
		return nil, errors.New("backup: Cipher, Keyring and Origins must be given")
	}
	if p.Clock == nil {
		p.Clock = time.Now
	}
	if p.Random == nil {
		p.Random = rand.Reader
	}
	start, err := from.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, unreadableFile(err)
	}
	b := &Backup{from: from, start: start, ports: p, Info: Info{Rows: map[string]int64{}}}
	var is domain.Installation
	b.frame, err = read(from, func(row archive.Row) error {
		if row.Table == "installation" {
			is = installationOf(row)
		}
		b.Info.Rows[row.Table]++
		if ctx.Err() != nil {
			return unreadableFile(context.Cause(ctx))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b.Info.Created, b.Info.Origin, b.Info.Keys = b.frame.header.Created, b.frame.header.Origin, b.frame.end.Keys
	if err := keyset.CheckOrigins("backup", domain.Origins{domain.ServiceAPI: b.Info.Origin}, p.Origins); err != nil {
		return nil, err
	}
	return b, b.recognize(ctx, is)
}

func installationOf(row archive.Row) domain.Installation {
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

// recognize checks that the keyset is the one that made the backup.
func (b *Backup) recognize(ctx context.Context, is domain.Installation) error {
	needs := "this backup needs the keyset with the keys " + b.Info.KeyNames()
	if err := b.ports.Keyring.Prepare(ctx, false); err != nil {
		return &domain.Error{Kind: domain.KindOf(err), Public: needs, Cause: err}
	}
	has := b.ports.Keyring.Keys()
	lacks := slices.DeleteFunc(slices.Clone(b.Info.Keys), func(id domain.KeyID) bool { return slices.Contains(has, id) })
	if len(lacks) > 0 {
		return &domain.Error{Kind: domain.Corrupt, Public: needs + ", but the keyset that is set lacks " + keyNames(lacks)}
	}
	seal := domain.Sealed{Key: b.frame.seal.Key, Bytes: b.frame.seal.Seal}
	digest, err := b.ports.Cipher.Open(seal, domain.BindBackup())
	if domain.KindOf(err) == domain.Unavailable {
		return err
	}
	if err != nil || digest.Reveal() != b.frame.seal.Digest {
		return &domain.Error{Kind: domain.Corrupt, Cause: err,
			Public: "the seal of this backup can't be decrypted: the backup was changed, or another keyset than the one that is set made it"}
	}
	if is.Origin != b.Info.Origin {
		return &domain.Error{Kind: domain.Corrupt, Public: "the backup does not name its installation"}
	}
	if err := keyset.Opens(b.ports.Cipher, is); err != nil {
		return err
	}
	recorded, err := keyset.RecordedOrigins(b.ports.Cipher, is)
	if err != nil {
		return err
	}
	return keyset.CheckOrigins("backup", recorded, b.ports.Origins)
}

// Restore stores the backup in the database of to, all or nothing, as the operator. Nobody is
// logged in afterwards. Returns Conflict if the database has a user or an assistant, and if
// its schema is newer than this program knows. Returns Corrupt if the file is no longer the
// one that was opened.
func (b *Backup) Restore(ctx context.Context, to ports.Archive) error {
	now := b.ports.Clock()
	id, err := domain.NewRequestID(now, b.ports.Random)
	if err != nil {
		return err
	}
	call := domain.Call{Caller: domain.Operator(), RequestID: id}
	return to.Restore(ctx, b.rows(), call.Act(now, domain.NeedsAdmin(), domain.ActionRestore, domain.OnBackup(b.Info.Created)))
}

// errEnough ends the reading of a backup if no more rows are wanted.
var errEnough = errors.New("backup: enough rows were read")

// rows returns the rows of the file, read again. If the file is not the one that was opened, an
// error follows them.
func (b *Backup) rows() iter.Seq2[archive.Row, error] {
	return func(yield func(archive.Row, error) bool) {
		if _, err := b.from.Seek(b.start, io.SeekStart); err != nil {
			yield(archive.Row{}, unreadableFile(err))
			return
		}
		again, err := read(b.from, func(row archive.Row) error {
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
			yield(archive.Row{}, err)
		}
	}
}
