package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// flagsOf makes flags of settings. What kong wants is a struct: it gets one with a
// field for each setting, which stays nil where the flag is not given. demo are the
// fallbacks of the command demo; nil for serve.
func flagsOf(demo map[string]string) kong.Plugins {
	var fields []reflect.StructField
	for _, s := range settings {
		if s.secret() || demo != nil && s.use != everywhere {
			continue
		}
		fallback, ok := demo[s.name]
		if !ok {
			fallback = s.fallback
		}
		if fallback == "" {
			fallback = "…"
		}
		fields = append(fields, reflect.StructField{
			Name: s.name,
			Type: reflect.TypeFor[*string](),
			Tag: reflect.StructTag(fmt.Sprintf(`name:%q placeholder:%q help:%q`,
				s.flag(), fallback, fmt.Sprintf("%s (%s).", strings.TrimSuffix(s.help, "."), prefix+s.name))),
		})
	}
	return kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}
}

// givenFlags are the texts of the flags that were given, by the name of the setting.
func givenFlags(flags kong.Plugins) map[string]string {
	texts := map[string]string{}
	for field, value := range reflect.ValueOf(flags[0]).Elem().Fields() {
		if text, ok := value.Interface().(*string); ok && text != nil {
			texts[field.Name] = *text
		}
	}
	return texts
}
