"""Writes data/checksums.json anew, after a file that the course ships was changed on purpose."""

from diffusion_lessons import workspace

if __name__ == "__main__":
    sums = workspace.write_checksums(workspace.data_path())
    print(f"data/checksums.json now lists {len(sums)} files")
