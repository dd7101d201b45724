package oidclogin

import (
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/domain"
)

func TestGroups(t *testing.T) {
	listed := domain.ListedGroups
	for name, row := range map[string]struct {
		claims, claim string
		want          domain.Groups
	}{
		"a list of names":                         {`{"groups":["b","a"]}`, "", listed([]string{"a", "b"})},
		"an empty list is no group":               {`{"groups":[]}`, "", listed(nil)},
		"a text is one group":                     {`{"groups":"staff"}`, "", listed([]string{"staff"})},
		"no claim":                                {`{"Groups":["a"]}`, "", domain.Groups{}},
		"null can't be read":                      {`{"groups":null}`, "", domain.Groups{State: domain.GroupsUnreadable}},
		"an object can't be read":                 {`{"groups":{"a":true}}`, "", domain.Groups{State: domain.GroupsUnreadable}},
		"a list with a number can't be read":      {`{"groups":["a",1]}`, "", domain.Groups{State: domain.GroupsUnreadable}},
		"a list in a list can't be read":          {`{"groups":[["a"]]}`, "", domain.Groups{State: domain.GroupsUnreadable}},
		"a claim that is a URL":                   {`{"https://example.com/groups":["a"]}`, "https://example.com/groups", listed([]string{"a"})},
		"a claim with a tilde":                    {`{"a~1b":["a"]}`, "a~1b", listed([]string{"a"})},
		"a pointer into an object":                {`{"realm_access":{"roles":["a"]}}`, "/realm_access/roles", listed([]string{"a"})},
		"a pointer with escapes":                  {`{"a/b":{"c~d":["a"]}}`, "/a~1b/c~0d", listed([]string{"a"})},
		"a pointer into a list":                   {`{"a":[{"b":["x"]},{"b":["y"]}]}`, "/a/1/b", listed([]string{"y"})},
		"a pointer with a leading zero":           {`{"a":["x","y"]}`, "/a/01", domain.Groups{}},
		"a pointer past the end":                  {`{"a":["x"]}`, "/a/1", domain.Groups{}},
		"a pointer to the element after the last": {`{"a":["x"]}`, "/a/-", domain.Groups{}},
		"a pointer into a text":                   {`{"a":"x"}`, "/a/0", domain.Groups{}},
		"a pointer to an empty name":              {`{"":["x"]}`, "/", listed([]string{"x"})},
		"a pointer whose object is missing":       {`{"b":1}`, "/a/b", domain.Groups{}},
		"Entra has too many":                      {`{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{}}}`, "", domain.Groups{State: domain.GroupsElsewhere}},
		"Entra has too many for a short token":    {`{"hasgroups":true}`, "", domain.Groups{State: domain.GroupsElsewhere}},
		"Entra has too many, as a text":           {`{"hasgroups":"true"}`, "", domain.Groups{State: domain.GroupsElsewhere}},
		"hasgroups is false":                      {`{"hasgroups":false}`, "", domain.Groups{}},
		"hasgroups beside the groups":             {`{"hasgroups":true,"groups":["a"]}`, "", listed([]string{"a"})},
		"hasgroups is about groups only":          {`{"hasgroups":true}`, "roles", domain.Groups{}},
		"another claim is elsewhere":              {`{"_claim_names":{"address":"src1"},"groups":["a"]}`, "", listed([]string{"a"})},
		"the claim is there and elsewhere":        {`{"_claim_names":{"groups":"src1"},"groups":[]}`, "", domain.Groups{State: domain.GroupsElsewhere}},
		"the object of a pointer is elsewhere":    {`{"_claim_names":{"realm_access":"src1"}}`, "/realm_access/roles", domain.Groups{State: domain.GroupsElsewhere}},
		"names that are in no rule are left out":  {`{"groups":["","a","\u0000"]}`, "", listed([]string{"a"})},
		"a pointer to one of the names":           {`{"groups":["a"],"x":1}`, "/groups/0", listed([]string{"a"})},
	} {
		t.Run(name, func(t *testing.T) {
			said, err := readClaims([]byte(row.claims))
			if err != nil {
				t.Fatal(err)
			}
			pointer, err := groupsPointer(row.claim)
			if err != nil {
				t.Fatal(err)
			}
			if got := said.groups(pointer); got.State != row.want.State || !slices.Equal(got.Names, row.want.Names) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestClaimsAreReadStrictly(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "a name twice": `{"a":1,"a":2}`, "a name twice inside": `{"a":{"b":1,"b":2}}`,
		"two objects": "{}{}", "invalid UTF-8": "{\"a\":\"\xff\"}", "cut": `{"a":1`,
	} {
		if got, err := readClaims([]byte(text)); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

// Whatever a provider signs, reading it ends, and gives what can be stored.
func FuzzClaims(f *testing.F) {
	for _, text := range []string{
		`{"groups":["a"],"sub":"s","sid":"x","email":"a@b"}`, `{"a":{"b":[{"c":"d"}]}}`, `{"_claim_names":{"groups":"s"}}`, `{"hasgroups":true}`,
		`{"groups":"\ud800"}`, `[]`, `{"groups":null}`, `{"a":1e999}`,
	} {
		f.Add([]byte(text), "groups")
		f.Add([]byte(text), "/a/b/0/c")
	}
	f.Fuzz(func(t *testing.T, text []byte, claim string) {
		said, err := readClaims(text)
		if err != nil {
			return
		}
		pointer, err := groupsPointer(claim)
		if err != nil {
			return
		}
		groups := said.groups(pointer)
		if groups.State != domain.GroupsListed && groups.Names != nil {
			t.Errorf("groups in the state %d have names", groups.State)
		}
		for _, name := range groups.Names {
			if _, err := domain.ParseGroup(name); err != nil {
				t.Errorf("the group %q can be in no rule", name)
			}
		}
		if id := said.id("sid"); domain.Storable(id) != nil || len(id) > maxID {
			t.Errorf("the sid %q can't be stored", id)
		}
		if name := said.name(); !utf8.ValidString(name) {
			t.Errorf("the name %q is not UTF-8", name)
		}
	})
}

// A pointer finds what it was made for, and a name is one token, whatever is in it.
func FuzzPointer(f *testing.F) {
	for _, text := range []string{"groups", "/a/b", "/a~1b/c~0d", "/", "//", "~", "/~", "/0/-1", "https://example.com/groups", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pointer, err := groupsPointer(text)
		if err != nil {
			return
		}
		// What the pointer leads to, from the inside out.
		value := jsontext.Value(`["found"]`)
		var top claims
		tokens := slices.Collect(pointer.Tokens())
		for i := len(tokens) - 1; i >= 0; i-- {
			name, err := jsontext.AppendQuote(nil, tokens[i])
			if err != nil {
				return // names of claims are UTF-8
			}
			value = jsontext.Value("{" + string(name) + ":" + string(value) + "}")
		}
		if top, err = readClaims(value); err != nil {
			t.Fatal(err)
		}
		if got := top.groups(pointer); tokens[0] != "_claim_names" && (len(got.Names) != 1 || got.Names[0] != "found") {
			t.Errorf("%q in %s: got %+v", pointer, value, got)
		}
		if _, ok := (claims{}).at(pointer); ok {
			t.Errorf("%q in nothing: got something", pointer)
		}
	})
}
