package console_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var fieldName = regexp.MustCompile(`name="([a-z_]+)"`)

// fieldsOfForms returns the names of all fields that the templates have.
func fieldsOfForms(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range fieldName.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(names, found[1]) {
				names = append(names, found[1])
			}
		}
	}
	if len(names) < 40 {
		t.Fatalf("the templates have only the fields %v: the search is blind", names)
	}
	return names
}

// TestAKeyInAFieldIsOnNoPage sends every form with a key in one field, for each field, and then with a
// key in all fields. Each answer is searched for the key.
func TestAKeyInAFieldIsOnNoPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	w.grant(t, "member", p)
	at := strings.NewReplacer("/assistants/:id", "/assistants/"+string(p.ID), "/chat/:id", "/chat/"+string(p.ID),
		"/users/:id", "/users/"+w.id(t, "disabled"), ":token", otherKey)
	names := slices.DeleteFunc(fieldsOfForms(t), func(name string) bool { return name == "message" }) // the stand-in repeats it
	all := url.Values{}
	for _, name := range names {
		all.Set(name, otherKey)
	}
	again := 0
	for _, route := range w.options.Pages.Routes {
		if route.Method != http.MethodPost || strings.HasSuffix(route.Path, "/logout") || route.Path == "/console/users/:id/delete" {
			continue // the browsers and the user are needed to the end
		}
		path := at.Replace(route.Path)
		for _, b := range []*browser{w.admin, w.member, w.nobody} {
			var forms []url.Values
			for _, name := range names {
				forms = append(forms, url.Values{name: {otherKey}})
			}
			forms = append(forms, all)
			for _, form := range forms {
				got := b.send(t, http.MethodPost, path, form)
				if strings.Contains(got.text, "</form>") {
					again++
				}
				wantNoKeyIn(t, got)
			}
		}
	}
	if again < 500 {
		t.Errorf("only %d answers have a form: the search is blind", again)
	}
}
