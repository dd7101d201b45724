package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// ServeFlags returns a flag for each setting of the command serve.
func ServeFlags() kong.Plugins { return flags(false) }

// DemoFlags returns a flag for each setting of the command demo.
func DemoFlags() kong.Plugins { return flags(true) }

// flags makes a struct for kong that has a field for each flag. The field stays nil if the
// flag is not given.
func flags(demo bool) kong.Plugins {
	var fields []reflect.StructField
	for _, s := range settings {
		if s.Flag() == "" || demo && s.use != everywhere {
			continue
		}
		placeholder := s.defaultFor(demo)
		if placeholder == "" {
			placeholder = "…"
		}
		fields = append(fields, reflect.StructField{
			Name: s.Name,
			Type: reflect.TypeFor[*string](),
			Tag: reflect.StructTag(fmt.Sprintf(`name:%q placeholder:%q help:%q`,
				s.flag(), placeholder, fmt.Sprintf("%s (%s).", strings.TrimSuffix(s.Help, "."), s.Variable()))),
		})
	}
	return kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}
}

// GivenFlags returns the texts of the flags that were given, by the name of the setting.
func GivenFlags(flags kong.Plugins) map[string]string {
	texts := map[string]string{}
	for field, value := range reflect.ValueOf(flags[0]).Elem().Fields() {
		if text, ok := value.Interface().(*string); ok && text != nil {
			texts[field.Name] = *text
		}
	}
	return texts
}
