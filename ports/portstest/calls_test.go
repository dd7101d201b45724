package portstest

import (
	"reflect"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

func TestTheTableOfCallsHasEveryMethodOfEveryView(t *testing.T) {
	act := reflect.TypeFor[domain.Act]()
	usual := map[string]bool{}
	for _, c := range calls() {
		usual[c.method] = usual[c.method] || c.fails == ""
		view, method, _ := strings.Cut(c.method, ".")
		field, found := reflect.TypeFor[ports.Store]().FieldByName(view)
		if !found {
			t.Errorf("%v: there is no such view", c)
			continue
		}
		m, found := field.Type.MethodByName(method)
		if !found {
			t.Errorf("%v: there is no such method", c)
			continue
		}
		takes := false
		for i := range m.Type.NumIn() {
			takes = takes || m.Type.In(i) == act
		}
		if takes != c.act {
			t.Errorf("%v: takes an Act: %v, and the table says %v", c, takes, c.act)
		}
		if c.record && c.fails != "" || c.changes && c.fails != "" {
			t.Errorf("%v: fails and changes something", c)
		}
	}
	for i := range reflect.TypeFor[ports.Store]().NumField() {
		field := reflect.TypeFor[ports.Store]().Field(i)
		for n := range field.Type.NumMethod() {
			if name := field.Name + "." + field.Type.Method(n).Name; !usual[name] {
				t.Errorf("the table has no call of %s that succeeds", name)
			}
		}
		if promised := promises(field.Name); len(callsOf(field.Name)) == 0 || len(promised) != 5 {
			t.Errorf("%s: nothing is promised of its methods", field.Name)
		}
	}
}
