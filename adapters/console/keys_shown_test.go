package console_test

import (
	"net/url"
	"testing"
)

// TestAKeyInAnAddressIsOnNoPage checks that a key that was pasted into a parameter is neither on the
// page nor in an address that the page leads to. Each answer is searched for the key.
func TestAKeyInAnAddressIsOnNoPage(t *testing.T) {
	w := newWorld(t, signsOn)
	p := w.add(t, 0)
	w.grant(t, "member", p)
	w.store(t, 60) // so that lists have a next page
	pages := []string{
		"/console/", "/chat", "/chat/" + string(p.ID), "/console/assistants", "/console/assistants/" + string(p.ID),
		"/console/users", "/console/users/new", "/console/tokens", "/console/tokens/new", "/console/tokens/rotate", "/console/sessions",
		"/console/usage", "/console/usage.csv", "/console/audit", "/console/audit.csv", "/console/keys", "/console/login",
		"/oidc/login", "/oidc/callback", "/console/groups", "/console/groups/new", "/console/webhooks", "/console/webhooks/new",
	}
	parameters := []string{
		"q", "cursor", "username", "project_id", "user_id", "from", "to", "group_by", "actor", "action", "object", "outcome",
		"request_id", "since", "until", "token_id", "slot", "assistants", "return", "anything", "rule_id", "code", "state", "iss", "error", "error_description",
	}
	for _, b := range []*browser{w.admin, w.member, w.nobody} {
		for _, path := range pages {
			for _, name := range parameters {
				for _, text := range []string{otherKey, "/console/assistants?q=" + otherKey} {
					wantNoKeyIn(t, b.get(t, path+"?"+url.Values{name: {text}}.Encode()))
				}
			}
		}
		wantNoKeyIn(t, b.get(t, "/console/assistants/"+otherKey))
		wantNoKeyIn(t, b.get(t, "/console/login-link/"+otherKey))
		for _, path := range []string{"/console/groups/preview", "/console/groups"} {
			for _, name := range []string{"group", "role", "project_id", "scopes", "environments"} {
				wantNoKeyIn(t, b.post(t, path, name, otherKey))
			}
			wantNoKeyIn(t, b.post(t, path, "group", "staff", "project_id", string(p.ID), "scopes", "converse", "environments", otherKey))
			wantNoKeyIn(t, b.post(t, path, "group", otherKey, "project_id", string(p.ID), "scopes", "converse"))
			wantNoKeyIn(t, b.post(t, path, "group", otherKey, "role", "admin"))
		}
		wantNoKeyIn(t, b.post(t, "/console/users/"+w.id(t, "member")+"/link", "subject", otherKey))
		for _, address := range []string{otherKey, "https://alerts.example/?key=" + otherKey, "https://" + otherKey + "@alerts.example"} {
			wantNoKeyIn(t, b.post(t, "/console/webhooks", "url", address, "events", "admin.made"))
			wantNoKeyIn(t, b.post(t, "/console/webhooks", "url", address, "events", otherKey))
		}
		wantNoKeyIn(t, b.get(t, "/console/webhooks/"+otherKey+"/change"))
		wantNoKeyIn(t, b.post(t, "/console/login", "username", otherKey, "password", "x", "return", "/console/assistants?q="+otherKey))
	}
}

// wantNoKeyIn checks that the address to which an answer leads has no key.
func wantNoKeyIn(t *testing.T, p *page) {
	t.Helper()
	plain, err := url.QueryUnescape(p.header.Get("Location"))
	if err == nil {
		plain, err = url.QueryUnescape(plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.of += " leads to " + plain
	p.text = plain
	p.wantNo(t, otherKey)
}

// TestAFilterWithAKeyIsRefused checks that the pages with filters say what is wrong.
func TestAFilterWithAKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/console/usage?user_id=", "/console/usage?project_id=", "/console/usage.csv?user_id=", "/console/audit?actor=",
		"/console/audit?object=", "/console/audit?request_id=", "/console/audit.csv?outcome=",
	} {
		w.admin.get(t, path+otherKey).want(t, 400, "pasted into a filter")
	}
	w.member.get(t, "/console/usage?project_id="+otherKey).want(t, 400, "pasted into a filter")
}
