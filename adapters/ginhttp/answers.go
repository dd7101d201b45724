package ginhttp

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/domain"
)

// answer is the JSON object of an answer, without its closing brace, while it is built. Building
// it by hand takes a third of the time of marshaling, on the routes that are called most.
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

// assistantOfAdmin appends a project with what only admins are shown.
func (b answer) assistantOfAdmin(p domain.Project) answer {
	b = b.assistant(p)
	b = b[:len(b)-1]
	b = b.keys(p)
	b = append(b, `,"credits":`...).text(string(p.Credits))
	b = append(b, `,"environment_mode":`...).text(p.Environments.Mode())
	b = append(b, `,"environments":`...).environments(p.InEffect())
	b = append(b, `,"picture_origins":`...).origins(p.PictureOrigins)
	return append(b, '}')
}

// environments appends environments in the form in which they are set.
func (b answer) environments(e domain.Environments) answer {
	b = append(b, `{"default":`...).text(e.Default)
	b = append(b, `,"allowed":`...)
	if e.All {
		b = b.text(domain.AllEnvironments)
	} else {
		b = b.texts(e.Allowed)
	}
	b = append(b, `,"allow_draft":`...).texts(e.AllowDraft)
	return append(b, '}')
}

// origins appends a list of origins.
func (b answer) origins(list []domain.Origin) answer {
	return array(b, list, func(b answer, o domain.Origin) answer { return b.text(string(o)) })
}

// texts appends a list of strings.
func (b answer) texts(list []string) answer { return array(b, list, answer.text) }

// array appends a list whose items are appended by item.
func array[T any](b answer, list []T, item func(answer, T) answer) answer {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, v)
	}
	return append(b, ']')
}

// keys appends the status and times of a project's keys. The names for the primary key have no
// prefix, because they are older.
func (b answer) keys(p domain.Project) answer {
	b = b.member("key_status").text(string(p.Primary.Status))
	b = b.member("secondary_status").text(string(p.Secondary.Status))
	b = b.member("key_set").instant(p.Primary.Set)
	b = b.member("secondary_set").instant(p.Secondary.Set)
	b = b.member("key_checked").instant(p.Primary.Checked)
	b = b.member("secondary_checked").instant(p.Secondary.Checked)
	b = b.member("personal_status").text(string(p.Personal.Status))
	b = b.member("personal_set").instant(p.Personal.Set)
	return b.member("personal_checked").instant(p.Personal.Checked)
}

// scopes appends a list of scopes.
func (b answer) scopes(s domain.Scopes) answer {
	return array(b, s.List(), func(b answer, scope domain.Scope) answer { return b.text(string(scope)) })
}

// grant appends a grant, with who grants it. Environments is there only if there is a limit.
func (b answer) grant(g domain.Grant) answer {
	b = append(b, `{"User":`...).text(string(g.User))
	b = append(b, `,"Project":`...).text(string(g.Project))
	b = append(b, `,"Scopes":`...).scopes(g.Scopes)
	b = append(b, `,"Created":`...).instant(g.Created)
	b = b.environmentsIfAny(g.OnlyEnvironments())
	b = append(b, `,"Source":`...).text(g.Source())
	b = append(b, `,"Sources":`...)
	b = array(b, g.Sources(), func(b answer, by domain.GrantSource) answer {
		b = append(b, `{"Source":`...).text(by.Source)
		b = append(b, `,"Scopes":`...).scopes(by.Scopes)
		return append(b.environmentsIfAny(by.Environments), '}')
	})
	return append(b, '}')
}

// environmentsIfAny appends the member Environments if there are any.
func (b answer) environmentsIfAny(names []string) answer {
	if len(names) == 0 {
		return b
	}
	return append(b, `,"Environments":`...).texts(names)
}

// groupRule appends a rule. A rule that makes admins has a Role, any other a ProjectId and Scopes.
func (b answer) groupRule(r domain.GroupRule) answer {
	b = append(b, `{"Id":`...).text(string(r.ID))
	b = append(b, `,"Group":`...).text(r.Group)
	if r.MakesAdmins() {
		b = append(b, `,"Role":`...).text(string(domain.RoleAdmin))
	} else {
		b = append(b, `,"ProjectId":`...).text(string(r.Project))
		b = append(b, `,"Scopes":`...).scopes(r.Scopes)
		b = b.environmentsIfAny(r.Environments)
	}
	b = append(b, `,"Created":`...).instant(r.Created)
	return append(b, '}')
}

// accessToken appends an access token, without its text.
func (b answer) accessToken(t domain.AccessToken) answer {
	b = append(b, `{"Id":`...).text(string(t.ID))
	b = append(b, `,"Name":`...).text(t.Name)
	b = append(b, `,"Prefix":`...).text(t.Prefix)
	b = append(b, `,"User":`...).text(string(t.User))
	b = append(b, `,"Project":`...).textOrNull(string(t.Project))
	b = append(b, `,"Scopes":`...).scopes(t.Scopes)
	b = append(b, `,"Rate":`...).limitOrNull(t.Rate)
	b = append(b, `,"Open":`...).limitOrNull(t.Open)
	b = append(b, `,"Environments":`...)
	if len(t.Environments) == 0 {
		b = append(b, `null`...)
	} else {
		b = b.texts(t.Environments)
	}
	b = append(b, `,"Created":`...).instant(t.Created)
	b = append(b, `,"Expires":`...).instant(t.Expires)
	b = append(b, `,"LastUsed":`...).instant(t.LastUsed)
	b = append(b, `,"Renewed":`...).instant(t.Renewed)
	b = append(b, `,"PreviousEnds":`...).instant(t.PreviousEnds)
	return append(b, '}')
}

// limitOrNull appends a limit of an access token. 0 becomes null: the token shares the limit of its
// owner.
func (b answer) limitOrNull(limit int) answer {
	if limit == 0 {
		return append(b, `null`...)
	}
	return strconv.AppendInt(b, int64(limit), 10)
}

// session appends a session. A login has no project. ByProvider is there only for a login by the identity
// provider.
func (b answer) session(s domain.Session) answer {
	b = append(b, `{"Id":`...).text(string(s.ID))
	b = append(b, `,"Kind":`...).text(string(s.Kind))
	b = append(b, `,"User":`...).text(string(s.User))
	b = append(b, `,"Project":`...).textOrNull(string(s.Project))
	b = append(b, `,"Created":`...).instant(s.Created)
	b = append(b, `,"LastUsed":`...).instant(s.LastUsed)
	b = append(b, `,"Expires":`...).instant(s.Expires)
	b = append(b, `,"Address":`...).text(s.Address)
	b = append(b, `,"Agent":`...).text(s.Agent)
	if s.ByProvider {
		b = append(b, `,"ByProvider":true`...)
	}
	return append(b, '}')
}

// usage appends a sum of uses. A field that it is not grouped by is null.
func (b answer) usage(u domain.Usage) answer {
	b = append(b, `{"Day":`...).textOrNull(string(u.Day))
	b = append(b, `,"Project":`...).textOrNull(string(u.Project))
	b = append(b, `,"User":`...).textOrNull(string(u.User))
	b = append(b, `,"Token":`...).textOrNull(string(u.Token))
	b = append(b, `,"Scope":`...).textOrNull(string(u.Scope))
	b = strconv.AppendInt(append(b, `,"Calls":`...), u.Calls, 10)
	b = strconv.AppendInt(append(b, `,"Errors":`...), u.Errors, 10)
	b = strconv.AppendInt(append(b, `,"Milliseconds":`...), u.Milliseconds, 10)
	return append(b, '}')
}

// event appends a row of the audit.
func (b answer) event(r domain.AuditRow) answer {
	b = strconv.AppendInt(append(b, `{"Id":"`...), r.ID, 10)
	b = append(b, `","Time":`...).instant(r.At)
	b = append(b, `,"Actor":`...).text(string(r.Actor))
	b = append(b, `,"Action":`...).text(string(r.Action))
	b = append(b, `,"Object":`...).text(r.Object)
	b = append(b, `,"Outcome":`...).text(r.Outcome)
	b = append(b, `,"RequestId":`...).text(r.RequestID)
	b = append(b, `,"Address":`...).text(r.Address)
	b = strconv.AppendInt(append(b, `,"Count":`...), r.Count, 10)
	return append(b, '}')
}

// textOrNull appends a string. The empty string becomes null.
func (b answer) textOrNull(s string) answer {
	if s == "" {
		return append(b, `null`...)
	}
	return b.text(s)
}

func (b answer) assistants(list []domain.Project) answer { return array(b, list, answer.assistant) }

// user appends a user, without the password's hash. Identity is there only if the user is linked to one.
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
	if u.Identity != (domain.Identity{}) {
		b = append(b, `,"Identity":{"Issuer":`...).text(u.Identity.Issuer)
		b = append(b, `,"Subject":`...).text(u.Identity.Subject)
		b = append(b, '}')
	}
	return append(b, '}')
}

// instant appends a time in RFC 3339, UTC, always with six digits of a second's fraction. The
// zero time becomes null: a host program does not tell when its users were created, and some
// things never happened.
func (b answer) instant(t time.Time) answer {
	if t.IsZero() {
		return append(b, `null`...)
	}
	return append(appendInstant(append(b, '"'), t), '"')
}

// appendInstant appends a time in RFC 3339, in UTC and with microseconds.
func appendInstant(b []byte, t time.Time) []byte {
	t = t.UTC()
	// RFC3339 has a fast way in package time, and a list has many times.
	b = t.AppendFormat(b, time.RFC3339)
	b[len(b)-1] = '.' // for the Z, which comes after the fraction
	for micros, unit := t.Nanosecond()/1000, 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+micros/unit%10))
	}
	return append(b, 'Z')
}
