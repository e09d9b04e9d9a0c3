"""A layer of a container image: layer.py OUT.tar ROOT [OWNERS]

Packs a tree so that the same tree gives the same bytes: sorted, all of root, of the time SOURCE_DATE_EPOCH. OWNERS is a file with
lines "PATH UID GID MODE" of what belongs to others; a path that is not there yet is made as a directory.
"""

import os
import stat
import sys
import tarfile

out, root = sys.argv[1:3]
owners = {}
if len(sys.argv) > 3:
    for line in open(sys.argv[3], encoding="utf-8"):
        path, uid, gid, mode = line.split()
        owners[path] = int(uid), int(gid), int(mode, 8)
        if not os.path.lexists(os.path.join(root, path)):
            os.makedirs(os.path.join(root, path))
paths = []
for folder, folders, files in os.walk(root):
    paths += [os.path.relpath(os.path.join(folder, name), root) for name in folders + files]
epoch = int(os.environ["SOURCE_DATE_EPOCH"])
with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as archive:
    for path in sorted(paths):
        place = os.path.join(root, path)
        found = os.lstat(place)
        entry = tarfile.TarInfo(path)
        entry.mtime = epoch
        entry.uid, entry.gid, entry.mode = owners.get(path, (0, 0, stat.S_IMODE(found.st_mode)))
        if stat.S_ISLNK(found.st_mode):
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, os.readlink(place), 0o777
            archive.addfile(entry)
        elif stat.S_ISDIR(found.st_mode):
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        else:
            entry.size = found.st_size
            with open(place, "rb") as content:
                archive.addfile(entry, content)
