package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// A file of project export is an age file, sealed to public keys. In it are lines of
// JSON: one sealedHead, then a sealedProject for each assistant.

// sealedFormat names the file, and sealedVersion its version.
const (
	sealedFormat  = "flowlatch-projects"
	sealedVersion = 1
)

// sealedHead is the first line.
type sealedHead struct {
	Format  string        `json:"format"`
	Version int           `json:"version"`
	Origin  domain.Origin `json:"voiceflow_origin"` // where the keys may be sent
}

// sealedProject is a line. Keys are in the clear in it: it is only ever written into, or
// read out of, what age seals.
type sealedProject[key any] struct {
	Version   string              `json:"version_id"`
	Voiceflow domain.VoiceflowID  `json:"voiceflow_project_id"`
	Name      string              `json:"name"`
	Created   string              `json:"created"`
	Keys      map[domain.Slot]key `json:"keys"`
}

// parseRecipients reads age's public keys. Its errors do not repeat them: somebody may
// have taken the secret one.
func parseRecipients(texts []string) ([]age.Recipient, error) {
	var recipients []age.Recipient
	for i, text := range texts {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(parsed) != 1 {
			return nil, fmt.Errorf("recipient %d is no public key of age, such as age-keygen prints: age1 and what follows", i+1)
		}
		recipients = append(recipients, parsed...)
	}
	return recipients, nil
}

// readIdentities reads a file with age's secret keys, as age-keygen writes it.
func readIdentities(path string) ([]age.Identity, error) {
	f, err := openNamed("the file with the identity", path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	warnIfOpen(f)
	identities, err := age.ParseIdentities(f)
	if err != nil { // the library's text might repeat a part of a key
		return nil, errors.New("the file with the identity holds none that can be used; it should be one as age-keygen writes it, without a passphrase")
	}
	return identities, nil
}

// sealProjects writes a file that only the recipients open. give calls its argument with
// each project.
func sealProjects(w io.Writer, to []age.Recipient, origin domain.Origin, give func(func(app.ExportedProject) error) error) error {
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return fmt.Errorf("it can't be sealed to these recipients: %w", err)
	}
	enc := jsontext.NewEncoder(sealed)
	if err := json.MarshalEncode(enc, sealedHead{sealedFormat, sealedVersion, origin}); err != nil {
		return err
	}
	err = give(func(e app.ExportedProject) error {
		p := sealedProject[string]{
			Version: e.Project.Version, Voiceflow: e.Project.Voiceflow, Name: e.Project.Name, Created: stamp(e.Project.Created),
			Keys: map[domain.Slot]string{},
		}
		for slot, key := range e.Keys {
			p.Keys[slot] = key.Reveal()
		}
		return json.MarshalEncode(enc, p)
	})
	if err != nil {
		return err
	}
	return sealed.Close()
}

// readSealed is a reading of a file that sealProjects has written, by whoever has one of
// the identities. It refuses keys that are for another Voiceflow than origin.
func readSealed(identities []age.Identity, origin domain.Origin) reading {
	return func(r io.Reader, each func(arrival) error) error {
		plain, err := age.Decrypt(r, identities...)
		if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
			return errors.New("the identity does not open the file, which was sealed to other recipients")
		}
		if err != nil {
			return errBroken
		}
		values := newJSONValues(sealedReader{plain})
		var head sealedHead
		value, err := values.next()
		if err != nil {
			return err
		}
		if err := decodeStrictly(value, &head); err != nil || head.Format != sealedFormat {
			return errors.New("the file was not written by project export")
		}
		if head.Version != sealedVersion {
			return fmt.Errorf("the file is of version %d, and this program reads version %d", head.Version, sealedVersion)
		}
		if head.Origin != origin {
			return fmt.Errorf("the keys in the file are for Voiceflow at %s, and this installation sends keys to %s", oneLine(string(head.Origin)), origin)
		}
		for values.more() {
			value, err := values.next()
			if err != nil {
				return err
			}
			if err := each(unsealed(value)); err != nil {
				return err
			}
		}
		if _, err := values.ReadToken(); !errors.Is(err, io.EOF) {
			return values.failed(err)
		}
		return nil
	}
}

// unsealed is the arrival that a line is. The name is what the assistant was called when
// it was added there, which Voiceflow may have changed since: it is not checked.
func unsealed(value jsontext.Value) arrival {
	var p sealedProject[domain.Secret]
	if err := decodeStrictly(value, &p); err != nil {
		return arrival{place: "an assistant", err: err}
	}
	a := arrival{place: visible(p.Name), secondary: p.Keys[domain.SlotSecondary], in: app.AddProject{
		Version: p.Version, VoiceflowProject: string(p.Voiceflow), Key: p.Keys[domain.SlotPrimary],
	}}
	for slot := range p.Keys {
		if !slices.Contains(domain.Slots(), slot) {
			a.err = errors.New("it has a key in a slot that is not known")
		}
	}
	return a
}

var errBroken = errors.New("the file was altered or cut, or was never written by project export")

// sealedReader says in our words that a file was altered.
type sealedReader struct{ from io.Reader }

func (r sealedReader) Read(b []byte) (int, error) {
	n, err := r.from.Read(b)
	if err != nil && err != io.EOF { // what wraps io.EOF is no end of the file
		err = errBroken
	}
	return n, err
}
