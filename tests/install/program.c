/* A program outside the tree: it sees what is installed, nothing else. */
#include <stdio.h>
#include <string.h>

#include <kedge/base.h>

int main(void)
{
    kedge_allocator allocator = kedge_allocator_default();
    void *block = allocator.resize(allocator.context, NULL, 0, 16);
    if (block == NULL || strcmp(kedge_version(), KEDGE_VERSION) != 0) {
        return 1;
    }
    allocator.resize(allocator.context, block, 16, 0);
    printf("%s %s\n", kedge_version(), kedge_status_name(KEDGE_OK));
    return 0;
}
