package tinkcipher_test

import (
	"context"
	"fmt"
	"os"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

// A keyset in a file is made at the first start. What its keys have sealed opens before and
// after a rotation.
func ExampleNewFile() {
	folder, err := os.MkdirTemp("", "flowlatch-example-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ctx := context.Background()

	cipher := tinkcipher.NewFile(folder+"/keyset.json", tinkcipher.FileOptions{})
	const fresh = true // nothing was ever sealed, so the file may be made
	if err := cipher.Prepare(ctx, fresh); err != nil {
		panic(err)
	}
	binding := domain.BindKey("01890000-0000-7000-8000-000000000001", domain.SlotPrimary, "https://api.voiceflow.com")
	before, err := cipher.Seal(domain.NewSecret("VF.DM.key"), binding)
	if err != nil {
		panic(err)
	}

	// The function stores a value that the new key sealed, by which the next start finds out
	// whether it has the right keyset. Here there is no database.
	current, err := cipher.Rotate(ctx, func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error { return nil })
	if err != nil {
		panic(err)
	}
	after, err := cipher.Seal(domain.NewSecret("VF.DM.key"), binding)
	if err != nil {
		panic(err)
	}
	fmt.Println("the new key seals:", after.Key == current && before.Key != current)

	for _, sealed := range []domain.Sealed{before, after} {
		key, err := cipher.Open(sealed, binding)
		if err != nil {
			panic(err)
		}
		fmt.Println(key, key.Equal(domain.NewSecret("VF.DM.key")))
	}
	_, err = cipher.Open(after, domain.BindKey("01890000-0000-7000-8000-000000000002", domain.SlotPrimary, "https://api.voiceflow.com"))
	fmt.Println("for another assistant:", domain.KindOf(err) == domain.Corrupt)
	// Output:
	// the new key seals: true
	// [redacted] true
	// [redacted] true
	// for another assistant: true
}
