package voiceflow

import (
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
)

// sessionHeader is the header of the session id, as http.Header has it.
const sessionHeader = "Sessionid"

// binder turns the ids of one call into Voiceflow's, and keeps those that the call acts on.
type binder struct {
	ids             domain.UserIDs
	endpoint        *domain.Endpoint
	users, sessions []string // in Voiceflow's form
	inQuery         []domain.Field
}

func newBinder(f domain.Forward) *binder {
	return &binder{ids: f.UserIDs, endpoint: f.Route.Endpoint}
}

// user turns a user id of the caller into Voiceflow's.
func (b *binder) user(own string) (string, error) { return b.bind(own, &b.users) }

// session turns a session id of the caller into Voiceflow's.
func (b *binder) session(own string) (string, error) { return b.bind(own, &b.sessions) }

func (b *binder) bind(own string, kept *[]string) (string, error) {
	if b.endpoint.Searches() {
		return b.ids.Find(own)
	}
	bound := own
	if b.ids.Bind != nil {
		var err error
		if bound, err = b.ids.Bind(own); err != nil {
			return "", err
		}
	}
	*kept = append(*kept, bound)
	return bound, nil
}

// id checks an id and binds it. what names it in an error. A search may leave it empty.
func (b *binder) id(is domain.Field, own, what string) (string, error) {
	if own == "" && b.endpoint.Searches() {
		return own, nil
	}
	if err := domain.CheckUserID(own, what); err != nil {
		return "", err
	}
	if is == domain.FieldUser {
		return b.user(own)
	}
	return b.session(own)
}

// parameter checks and binds an id in the query, which may come once.
func (b *binder) parameter(is domain.Field, own string) (string, error) {
	what := "in the query, " + string(is)
	if slices.Contains(b.inQuery, is) {
		return "", &domain.Error{Kind: domain.Invalid, Public: what + " comes more than once; send it once"}
	}
	b.inQuery = append(b.inQuery, is)
	return b.id(is, own, what)
}

// header puts the session id of the caller's header into the header to send.
func (b *binder) header(to, callers http.Header) error {
	values := callers[sessionHeader]
	if len(values) == 0 || !b.endpoint.Dialog() {
		return nil
	}
	if len(values) > 1 {
		return &domain.Error{Kind: domain.Invalid, Public: "the header sessionID comes more than once; send it once"}
	}
	own := headerText(values[0])
	bound, err := b.id(domain.FieldSession, own, "the header sessionID")
	if err != nil {
		return err
	}
	if bound != own {
		to[sessionHeader] = []string{bound}
		return nil
	}
	to[sessionHeader] = values
	if latin := latin1(values[0]); latin != own {
		_, err = b.session(latin) // as Voiceflow reads it
	}
	return err
}

// headerText returns the text of the value of a header. Clients send UTF-8 or ISO 8859-1, which
// browsers and Node.js have for headers. Both are the same id as in a body.
func headerText(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	return latin1(value)
}

// latin1 returns the text of a value in ISO 8859-1.
func latin1(value string) string {
	text := make([]rune, len(value))
	for i, c := range []byte(value) {
		text[i] = rune(c)
	}
	return string(text)
}

// check checks all ids of the call together.
func (b *binder) check() error {
	if b.ids.Check == nil {
		return nil
	}
	return b.ids.Check(b.users, b.sessions)
}

// remembered returns the ids of one call. They also know the ids that the call itself has bound.
// The pseudonym of a long id can't be turned back in another way.
func remembered(ids domain.UserIDs) domain.UserIDs {
	if ids.Bind == nil || ids.Own == nil {
		return ids
	}
	own := map[string]string{}
	return domain.UserIDs{
		Check: ids.Check,
		Bind: func(text string) (string, error) {
			bound, err := ids.Bind(text)
			if err == nil {
				own[bound] = text
			}
			return bound, err
		},
		Own: func(bound string) (string, bool) {
			if text, made := own[bound]; made {
				return text, true
			}
			return ids.Own(bound)
		},
	}
}
