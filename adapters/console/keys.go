package console

import (
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
)

// keysPage is what the page of the keyset shows.
type keysPage struct {
	keyset.Status

	ToReenter  int64     // keys of assistants that can't be opened
	Assistants []reentry // some of those that have such keys
}

// reentry is an assistant with keys that can't be opened.
type reentry struct {
	ID    domain.ProjectID
	Name  string
	Slots []domain.Slot
}

// keys shows the keys of the keyset. It opens nothing that is stored: with many assistants that
// takes longer than a page may take. checkKeys does it.
func (x *request) keys() error {
	var out keysPage
	var err error
	if out.Status, err = x.console.service.Keyset().Uses(x.Context(), x.Call()); err != nil {
		return err
	}
	marked, err := x.console.service.Keyset().ToReenter(x.Context(), x.Call())
	if err != nil {
		return err
	}
	if out.ToReenter = int64(marked); marked > 0 {
		if out.Assistants, err = x.toReenter(); err != nil {
			return err
		}
	}
	return x.show("keys", "Keys", out)
}

// toReenter returns assistants that have keys that can't be opened, as far as they are among the
// first that are in trouble.
func (x *request) toReenter() ([]reentry, error) {
	page, err := x.console.service.SearchProjects(x.Context(), x.Call(), app.SearchProjects{Trouble: true}, domain.Cursor{}, 4*pageSize)
	if err != nil {
		return nil, err
	}
	var all []reentry
	for _, p := range page.Items {
		found := reentry{ID: p.ID, Name: p.Name}
		for _, slot := range domain.Slots() {
			if p.Key(slot).Status == domain.KeyNeedsReentry {
				found.Slots = append(found.Slots, slot)
			}
		}
		if len(found.Slots) > 0 {
			all = append(all, found)
		}
	}
	return all, nil
}

// checkKeys opens everything that is stored sealed, which marks the keys that can't be opened.
func (x *request) checkKeys() error {
	status, err := x.console.service.Keyset().Status(x.Context(), x.Call())
	if err != nil {
		return err
	}
	return x.done("/console/keys", checkedKeys(status))
}

// checkedKeys returns in words what opened and what did not.
func checkedKeys(s keyset.Status) string {
	opened, keys := 0, 0
	for _, k := range s.Keys {
		opened += k.Rows
	}
	var others []string
	for _, u := range s.Unopened {
		if u.Ref.Kind == domain.SealedProjectKey {
			keys++
		} else {
			others = append(others, sealedName(u.Ref.Kind))
		}
	}
	text := "Checked just now: " + count(int64(opened), "stored value opens", "stored values open") + "."
	if keys > 0 {
		text += " " + count(int64(keys), "Voiceflow key does", "Voiceflow keys do") + " not."
	}
	if s.Conversations > 0 {
		text += " " + count(int64(s.Conversations), "conversation does", "conversations do") + " not; flowlatch keys rewrap deletes them."
	}
	if s.Logins > 0 {
		text += " " + count(int64(s.Logins), "login by the identity provider does", "logins by the identity provider do") + " not; flowlatch keys rewrap ends them."
	}
	if len(others) > 0 {
		text += " Also not: " + strings.Join(others, ", ") + "."
	}
	if keys+s.Conversations+s.Logins+len(others) == 0 {
		text += " None failed to open."
	}
	return text
}

// sealedName returns what the kind is called on a page.
func sealedName(kind domain.SealedKind) string {
	switch kind {
	case domain.SealedAuditCheck:
		return "what the verifications of the audit have found"
	case domain.SealedAuditHead:
		return "the signed end of the audit"
	case domain.SealedKnownValue:
		return "the value by which the keyset is recognized"
	case domain.SealedPseudonymKey:
		return "the key of the pseudonyms"
	}
	return string(kind)
}

// needs returns in words what needs a key.
func needs(u domain.KeyUse) string {
	var parts []string
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{u.Rows, "stored value", "stored values"},
		{u.Logins, "session", "sessions"},
		{u.Handles, "conversation handle", "conversation handles"},
	} {
		if part.n > 0 {
			parts = append(parts, count(int64(part.n), part.one, part.many))
		}
	}
	switch len(parts) {
	case 0:
		return "nothing"
	case 1:
		return parts[0]
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// command is a command to run on the host, with a button that copies it.
type command struct{ ID, Text string }

// count returns the number with its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		many = one
	}
	return digits(n) + " " + many
}

// digits returns n with a comma after each three digits from the right.
func digits(n int64) string {
	text := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(text) - 3; i > first; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
