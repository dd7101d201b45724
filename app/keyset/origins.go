package keyset

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// notes is what is sealed together with the key of the pseudonyms. Nobody can change it without the
// keyset, or take it away and leave the key.
type notes struct {
	key string // of the pseudonyms
	// hasHead is set once the audit's chain has a head. So nobody can make an audit look as if its
	// chain had yet to begin.
	hasHead bool
	// origins are those that keys may be sent to. They are nil until the first start of a program
	// that records them.
	origins domain.Origins
}

// The parts of sealed notes. A key never contains them.
const (
	partHead    = "\x00the audit has a chain"
	partOrigins = "\x00keys are sent to "
)

// secret returns the notes as they are sealed.
func (n notes) secret() (domain.Secret, error) {
	text := n.key
	if n.hasHead {
		text += partHead
	}
	if n.origins != nil {
		origins, err := json.Marshal(n.origins)
		if err != nil {
			return domain.Secret{}, err
		}
		text += partOrigins + string(origins)
	}
	return domain.NewSecret(text), nil
}

// readNotes reads what secret returned. Returns Corrupt if the origins can't be read.
func readNotes(sealed domain.Secret) (notes, error) {
	var n notes
	text, origins, recorded := strings.Cut(sealed.Reveal(), partOrigins)
	n.key, n.hasHead = strings.CutSuffix(text, partHead)
	if !recorded {
		return n, nil
	}
	if err := json.Unmarshal([]byte(origins), &n.origins); err != nil {
		return notes{}, &domain.Error{Kind: domain.Corrupt, Cause: err, Public: "the recorded origins of Voiceflow can't be read; use a newer program"}
	}
	return n, nil
}

// openNotes opens the notes of the installation.
func openNotes(cipher ports.Cipher, is domain.Installation) (notes, error) {
	opened, err := cipher.Open(is.Pseudonyms, domain.BindPseudonymKey())
	if err != nil {
		return notes{}, &domain.Error{Kind: domain.KindOf(err), Cause: err,
			Public: "the key of this database's pseudonyms can't be decrypted; it was encrypted with key " + string(is.Pseudonyms.Key)}
	}
	return readNotes(opened)
}

// RecordedOrigins returns the origins that are recorded in an installation whose known value the
// cipher opens. They are nil if none are recorded yet. Returns Corrupt if they can't be decrypted.
func RecordedOrigins(cipher ports.Cipher, is domain.Installation) (domain.Origins, error) {
	if is.Pseudonyms.IsZero() {
		return nil, nil
	}
	n, err := openNotes(cipher, is)
	return n.origins, err
}

// otherAPI is the error for keys that are bound to another Voiceflow than the one that is set:
// Conflict. in names what contains the keys.
func otherAPI(in string, recorded, set domain.Origin) error {
	return &domain.Error{Kind: domain.Conflict, Public: "the keys in this " + in + " are for Voiceflow at " + string(recorded) +
		", and this service is set to send keys to " + string(set) +
		"; correct the setting, or add the assistants with their keys to a new database, because the keys can't be used elsewhere"}
}

// CheckOrigins returns Conflict, with a sentence for the operator, if keys may be sent to the
// recorded origins and the service is set to send them to others. in names what contains the
// keys: a database, or a backup, whose origins can be confirmed once it is restored. Any origin will
// do for a service that has none recorded.
func CheckOrigins(in string, recorded, set domain.Origins) error {
	if api := recorded.API(); api != "" && api != set.API() {
		return otherAPI(in, api, set.API())
	}
	var differ []string
	for _, s := range recorded.Changed(set) {
		if recorded[s] == "" {
			continue
		}
		differ = append(differ, "to Voiceflow's "+string(s)+" at "+string(recorded[s])+", and this service is set to send them to "+string(set[s]))
	}
	if differ == nil {
		return nil
	}
	confirm := "or confirm the change"
	if in == "backup" {
		confirm = "and confirm the change after the restore"
	}
	return &domain.Error{Kind: domain.Conflict, Public: "the keys in this " + in + " are sent " + strings.Join(differ, "; ") +
		"; correct the setting, " + confirm + " with 'flowlatch voiceflow origins --confirm'"}
}

// OriginPorts is what Origins and ConfirmOrigins work with. All must be given. Set are the origins
// that the service is set to send keys to.
type OriginPorts struct {
	Installation ports.Installation
	Cipher       ports.Cipher
	Keyring      ports.Keyring // of the keyset that Cipher seals with
	Set          domain.Origins
	Clock        ports.Clock
}

// Origins returns the origins of Voiceflow that are recorded in the database. Those of other
// services than api are missing before the first start that records them. It works while a start is
// refused because of them. Returns Corrupt if the keyset is not that of the database, and
// Unavailable if the schema is not up to date.
func Origins(ctx context.Context, p OriginPorts) (domain.Origins, error) {
	_, n, err := p.open(ctx)
	return n.origins, err
}

// open opens the notes of the database. Their origins have the api origin at least.
func (p OriginPorts) open(ctx context.Context) (domain.Installation, notes, error) {
	if p.Installation == nil || p.Cipher == nil || p.Keyring == nil || !p.Set.Complete() || p.Clock == nil {
		return domain.Installation{}, notes{}, errors.New("keyset: all of OriginPorts must be given")
	}
	is, err := p.Installation.Get(ctx)
	if err != nil {
		return is, notes{}, err
	}
	if err := p.Keyring.Prepare(ctx, false); err != nil {
		return is, notes{}, needsKeyset(is, err)
	}
	if err := Opens(p.Cipher, is); err != nil {
		return is, notes{}, err
	}
	n, err := openNotes(p.Cipher, is)
	if err == nil && n.origins == nil {
		n.origins = domain.Origins{domain.ServiceAPI: is.Origin}
	}
	return is, n, err
}

// ConfirmOrigins records the origins that the service is set to send keys to, and returns the
// services whose origin has changed. Only an admin may: NotAllowed. Returns Conflict if the origin
// of api is another one, because the stored keys are bound to it. It returns the other errors of
// Origins. Instances that run keep their setting until they are restarted.
func ConfirmOrigins(ctx context.Context, p OriginPorts, call domain.Call) ([]domain.Service, error) {
	if err := call.Caller.MayManage(); err != nil {
		return nil, err
	}
	const tries = 3
	for try := 1; ; try++ {
		changed, err := p.confirm(ctx, call)
		if try == tries || !errors.Is(err, errChangedBeside) {
			return changed, err
		}
	}
}

// errChangedBeside is the cause if another process changed the installation at the same time.
var errChangedBeside = errors.New("keyset: another process changed the installation")

func (p OriginPorts) confirm(ctx context.Context, call domain.Call) ([]domain.Service, error) {
	was, n, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	if was.Origin != p.Set.API() {
		return nil, otherAPI("database", was.Origin, p.Set.API())
	}
	changed := n.origins.Changed(p.Set)
	if len(changed) == 0 {
		return nil, nil
	}
	n.origins = maps.Clone(p.Set)
	is := was
	if is.Pseudonyms, err = n.seal(p.Cipher.Seal); err != nil {
		return nil, err
	}
	act := call.Act(p.Clock(), domain.NeedsAdmin(), domain.ActionConfirmOrigins, domain.OnOrigins(p.Set, changed))
	err = p.Installation.Reseal(ctx, act, was, is)
	if domain.KindOf(err) == domain.Conflict {
		err = &domain.Error{Kind: domain.Conflict, Public: "another process changed the installation; try again", Cause: errors.Join(errChangedBeside, err)}
	}
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// seal seals the notes.
func (n notes) seal(with seal) (domain.Sealed, error) {
	secret, err := n.secret()
	if err != nil {
		return domain.Sealed{}, err
	}
	return with(secret, domain.BindPseudonymKey())
}
