package ginhttp

import (
	"net/http"
	"slices"

	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
)

// heldCookie is a cookie that a browser holds.
type heldCookie struct {
	name string
	text string        // "" if the browser holds none
	user domain.UserID // who it is of, if it was opened to find out whether it counts
	ours bool          // if the session is of this database, so are all cookies of that name in the request
}

// cookie returns the cookie of a kind that counts. Its text is "" if none counts.
//
// The common case is one cookie of the name that is sent. It counts, whatever is in it. Otherwise
// the browser holds earlier cookies, those of another installation, or ones that a neighboring host
// has planted. A neighbor can choose which one comes first. So what this installation did not seal
// does not count, and an earlier name counts only if the name that is sent has no such cookie. If
// several are left, those of one user count, because a neighbor can plant only a login of its own.
func (a *api) cookie(x *exchange, kind domain.SessionKind) heldCookie {
	if h, ok := x.cookies[kind]; ok {
		return h
	}
	names := a.cookies.names[kind]
	h := heldCookie{name: names[0]}
	for i, name := range names {
		found := x.c.Request.CookiesNamed(name)
		if i == 0 && len(found) == 1 {
			h = heldCookie{name: name, text: found[0].Value, ours: true}
			break
		}
		if counts, ok := a.choose(x, kind, a.sealedHere(kind, name, found)); ok {
			h = counts
			break
		}
	}
	if x.cookies == nil {
		x.cookies = map[domain.SessionKind]heldCookie{}
	}
	x.cookies[kind] = h
	return h
}

// mostHeld is how many cookies of one name are looked at. No browser holds so many of ours.
const mostHeld = 4

// sealedHere returns those of the cookies that this installation sealed, or a copy of it that has
// the same keyset. Equal ones are one. It returns none if there are too many.
func (a *api) sealedHere(kind domain.SessionKind, name string, found []*http.Cookie) []heldCookie {
	var all []heldCookie
	for _, c := range found {
		if slices.ContainsFunc(all, func(h heldCookie) bool { return h.text == c.Value }) {
			continue
		}
		claims, err := a.service.ReadCookie(kind, c.Value)
		if err != nil && domain.KindOf(err) != domain.Unavailable { // an outage says nothing about the cookie
			continue
		}
		all = append(all, heldCookie{name: name, text: c.Value, user: claims.User, ours: len(found) == 1})
	}
	if len(all) > mostHeld {
		return nil
	}
	return all
}

// choose returns the one of several cookies that counts. An assistant session is checked against
// the login, so the first counts. Browsers send the cookie with the longest path first (RFC 6265,
// section 5.4).
func (a *api) choose(x *exchange, kind domain.SessionKind, all []heldCookie) (heldCookie, bool) {
	if len(all) == 0 {
		return heldCookie{}, false
	}
	if len(all) == 1 || kind == domain.AssistantSession {
		return all[0], true
	}
	var open []heldCookie
	for _, h := range all {
		_, err := a.service.Identify(x.ctx(), h.text)
		switch domain.KindOf(err) {
		case "":
			open = append(open, h)
		case domain.NotAuthenticated:
		default:
			return h, true // the next look-up says what is wrong
		}
	}
	if len(open) == 0 {
		return all[0], true
	}
	if slices.ContainsFunc(open, func(h heldCookie) bool { return h.user != open[0].user }) {
		return heldCookie{}, false
	}
	return open[0], true
}

// renew sends the cookie of a kind if it was resealed, by the name and the path of now, and clears
// it where it was before.
func (a *api) renew(x *exchange, kind domain.SessionKind, cookie session.Cookie) {
	if cookie.Text == "" {
		return
	}
	if !a.cookies.single(kind) {
		a.cookies.clear(x, a.cookie(x, kind))
	}
	a.cookies.set(x, kind, cookie)
}

// openLogins returns the logins of this installation that the browser holds cookies of, and who
// they are of. A login that is over, or of another installation, is not among them. Returns an error
// with the others if nobody knows whether a login is over.
func (a *api) openLogins(x *exchange) (cookies []heldCookie, callers []domain.Caller, unknown error) {
	for _, name := range a.cookies.names[domain.LoginSession] {
		found := x.c.Request.CookiesNamed(name)
		first := len(cookies)
		for _, h := range a.sealedHere(domain.LoginSession, name, found) {
			in, err := a.service.Identify(x.ctx(), h.text)
			if err != nil {
				if domain.KindOf(err) != domain.NotAuthenticated {
					unknown = err
				}
				continue
			}
			cookies, callers = append(cookies, h), append(callers, in.Caller)
		}
		for i := first; i < len(cookies); i++ {
			cookies[i].ours = len(cookies)-first == len(found)
		}
	}
	return cookies, callers, unknown
}

// forget makes the browser forget the caller's sessions, which have ended: the cookies that this
// request has read. Those of other names may belong to other installations.
func (a *api) forget(x *exchange) {
	if a.own {
		a.cookies.clear(x, a.cookie(x, domain.LoginSession))
	}
	a.forgetAssistant(x)
}

// forgetAssistant makes the browser forget the assistant session. Nobody has looked up whether the
// cookie that counts is one of this installation.
func (a *api) forgetAssistant(x *exchange) {
	h := a.cookie(x, domain.AssistantSession)
	if !a.cookies.single(domain.AssistantSession) {
		_, err := a.service.ReadCookie(domain.AssistantSession, h.text)
		h.ours = h.ours && err == nil
	}
	a.cookies.clear(x, h)
}

// replaceLogins makes the browser forget the logins that it holds by earlier names and paths. A
// new login replaces them.
func (a *api) replaceLogins(x *exchange) {
	if a.cookies.single(domain.LoginSession) {
		return
	}
	cookies, _, _ := a.openLogins(x) // a login that is not known stays
	for _, h := range cookies {
		a.cookies.clear(x, h)
	}
}
