package archive

import "syscall"

// networkTypes are the statfs types of file systems that other machines, or programs, may serve: WAL needs shared
// memory, which they do not give.
var networkTypes = map[uint32]bool{
	0x6969:     true, // NFS
	0x517b:     true, // SMB
	0xfe534d42: true, // SMB2
	0xff534d42: true, // CIFS
	0x65735546: true, // FUSE: sshfs, s3fs and the like; ntfs-3g too
	0x01021997: true, // 9P
	0x5346414f: true, // AFS
	0x6b414653: true, // AFS
	0x00c36400: true, // Ceph
	0x73757245: true, // Coda
	0x786f4256: true, // VirtualBox shared folders
	0x0bd00bd0: true, // Lustre
	0x01161970: true, // GFS2
	0x7461636f: true, // OCFS2
	0x47504653: true, // GPFS
}

// onNetwork reports whether dir lies on a file system on which SQLite's WAL cannot be trusted.
func onNetwork(dir string) bool {
	var st syscall.Statfs_t
	return syscall.Statfs(dir, &st) == nil && networkTypes[uint32(st.Type)]
}
