// Package exportfile reads and writes the file in which assistants travel, with their
// Voiceflow keys, to another installation.
//
// It is an age file, encrypted to public keys. Inside are lines of JSON: a head, then one
// line for each assistant.
package exportfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/importlist"
	"github.com/flowlatch/flowlatch/internal/jsonstream"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

// What the head says about the format.
const (
	format  = "flowlatch-projects"
	version = 3 // a line can have environments and a personal key from 2 on, and picture origins from 3 on
)

// timeFormat is how a line writes a time, which is in UTC.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// head is the first line.
type head struct {
	Format  string        `json:"format"`
	Version int           `json:"version"`
	Origin  domain.Origin `json:"voiceflow_origin"` // where the keys may be sent
}

// line is a line with an assistant. It contains the keys in plain text, so it exists only
// inside the encrypted file and in memory.
type line[key any] struct {
	Version   string              `json:"version_id"`
	Voiceflow domain.VoiceflowID  `json:"voiceflow_project_id"`
	Name      string              `json:"name"`
	Created   string              `json:"created"`
	Keys      map[domain.Slot]key `json:"keys"`

	Environments *domain.EnvironmentsSpec `json:"environments,omitempty"` // nil if it is pinned to Version

	PictureOrigins []domain.Origin `json:"picture_origins,omitempty"`
}

// ParseRecipients parses public keys of age. Its errors do not repeat them, because one of
// them may be a secret key that was given by mistake.
func ParseRecipients(texts []string) ([]age.Recipient, error) {
	var recipients []age.Recipient
	for i, text := range texts {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(parsed) != 1 {
			return nil, fmt.Errorf("recipient %d is not a public key of age; age-keygen prints one, which begins with age1", i+1)
		}
		recipients = append(recipients, parsed...)
	}
	return recipients, nil
}

// ParseIdentities parses a file with secret keys of age, as age-keygen writes it.
func ParseIdentities(r io.Reader) ([]age.Identity, error) {
	identities, err := age.ParseIdentities(r)
	if err != nil { // the text of the library may repeat a part of a key
		return nil, errors.New("the file with the identity contains no usable identity; use a file that age-keygen wrote, without a passphrase")
	}
	return identities, nil
}

// Take writes an assistant and its keys.
type Take func(p domain.Project, keys map[domain.Slot]domain.Secret) error

// Write writes a file that only the recipients can open. The keys in it may be sent to
// origin. give calls its argument with each assistant.
func Write(w io.Writer, to []age.Recipient, origin domain.Origin, give func(Take) error) error {
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return fmt.Errorf("it can't be encrypted to these recipients: %w", err)
	}
	enc := jsontext.NewEncoder(sealed)
	if err := json.MarshalEncode(enc, head{format, version, origin}); err != nil {
		return err
	}
	err = give(func(p domain.Project, keys map[domain.Slot]domain.Secret) error {
		l := line[string]{
			Version: p.Version, Voiceflow: p.Voiceflow, Name: p.Name, Created: p.Created.UTC().Format(timeFormat),
			Keys: map[domain.Slot]string{}, Environments: p.Environments.Spec(), PictureOrigins: p.PictureOrigins,
		}
		for slot, key := range keys {
			l.Keys[slot] = key.Reveal()
		}
		return json.MarshalEncode(enc, l)
	})
	if err != nil {
		return err
	}
	return sealed.Close()
}

// NewReader returns a Reader of a file that Write has written. One of the identities must
// belong to a recipient. The Reader refuses a file whose keys are for another Voiceflow
// than origin.
func NewReader(identities []age.Identity, origin domain.Origin) importlist.Reader {
	return func(r io.Reader, each func(importlist.Entry) error) error {
		plain, err := age.Decrypt(r, identities...)
		if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
			return errors.New("the identity does not open the file; the file is for other recipients")
		}
		if err != nil {
			return errBroken
		}
		values := jsonstream.NewReader(plainReader{plain})
		if err := readHead(values, origin); err != nil {
			return err
		}
		for values.More() {
			value, err := values.Next()
			if err != nil {
				return err
			}
			if err := each(entryOf(value)); err != nil {
				return err
			}
		}
		return values.End()
	}
}

func readHead(values *jsonstream.Reader, origin domain.Origin) error {
	value, err := values.Next()
	if err != nil {
		return err
	}
	var h head
	if err := jsonstream.DecodeObject(value, &h); err != nil || h.Format != format {
		return errors.New("the file was not written by project export")
	}
	if h.Version < 1 || h.Version > version {
		return fmt.Errorf("the file is of version %d, and this program reads versions 1 to %d", h.Version, version)
	}
	if h.Origin != origin {
		return fmt.Errorf("the keys in the file are for Voiceflow at %s, and this installation sends keys to %s",
			terminal.OneLine(string(h.Origin)), origin)
	}
	return nil
}

// entryOf returns the entry of a line. It leaves out the name, so that the name is not
// checked: the assistant may have another name at Voiceflow by now.
func entryOf(value jsontext.Value) importlist.Entry {
	var l line[domain.Secret]
	if err := jsonstream.DecodeObject(value, &l); err != nil {
		return importlist.Entry{Place: "an assistant", Err: err}
	}
	entry := importlist.Entry{
		Place: terminal.Visible(l.Name), Version: l.Version, VoiceflowProject: string(l.Voiceflow),
		Key: l.Keys[domain.SlotPrimary], Secondary: l.Keys[domain.SlotSecondary],
		Personal: l.Keys[domain.SlotPersonal], Environments: l.Environments,
	}
	for _, origin := range l.PictureOrigins {
		entry.PictureOrigins = append(entry.PictureOrigins, string(origin))
	}
	for slot := range l.Keys {
		if !slices.Contains(domain.Slots(), slot) {
			entry.Err = errors.New("it has a key in an unknown slot")
		}
	}
	return entry
}

var errBroken = errors.New("the file was altered or cut, or project export did not write it")

// plainReader reads the decrypted text. Its error says that the file was altered.
type plainReader struct{ from io.Reader }

func (r plainReader) Read(b []byte) (int, error) {
	n, err := r.from.Read(b)
	if err != nil && err != io.EOF { // an error that only wraps io.EOF is not the end of the file
		err = errBroken
	}
	return n, err
}
