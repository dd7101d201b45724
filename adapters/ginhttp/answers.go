package ginhttp

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/domain"
)

// answer is the JSON object of an answer without its closing brace, as it grows. It is
// put together by hand since that takes a third of the time that marshalling takes, on
// the routes that are called most.
type answer []byte

// say begins an answer with its message, a sentence for a person.
func say(message string) answer { return answer(`{"message":`).text(message) }

// member begins a member, whose value comes next. name needs no escapes.
func (b answer) member(name string) answer {
	b = append(b, `,"`...)
	b = append(b, name...)
	return append(b, `":`...)
}

// text appends a string. Invalid UTF-8 becomes U+FFFD.
func (b answer) text(s string) answer {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

// assistant appends a project in the documentation's spelling.
func (b answer) assistant(p domain.Project) answer {
	b = append(b, `{"Name":`...).text(p.Name)
	b = append(b, `,"Id":`...).text(string(p.ID))
	b = append(b, `,"Created":`...).instant(p.Created)
	return append(b, '}')
}

func (b answer) assistants(list []domain.Project) answer {
	b = append(b, '[')
	for i, p := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = b.assistant(p)
	}
	return append(b, ']')
}

// user appends a user, without the password's hash.
func (b answer) user(u domain.User) answer {
	b = append(b, `{"Id":`...).text(string(u.ID))
	b = append(b, `,"Username":`...).text(string(u.Name))
	b = append(b, `,"Role":`...).text(string(u.Role))
	b = append(b, `,"Disabled":`...)
	if u.Disabled {
		b = append(b, `true`...)
	} else {
		b = append(b, `false`...)
	}
	b = append(b, `,"Assistants":[`...)
	for i, id := range u.Assistants {
		if i > 0 {
			b = append(b, ',')
		}
		b = b.text(string(id))
	}
	b = append(b, `],"Created":`...).instant(u.Created)
	return append(b, '}')
}

// instant appends a time in RFC 3339, UTC, always with six digits of a second's
// fraction, and null for the zero time: a host program does not say when its users were
// made.
func (b answer) instant(t time.Time) answer {
	if t.IsZero() {
		return append(b, `null`...)
	}
	return t.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000000Z"`)
}
